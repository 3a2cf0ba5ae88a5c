//! Multipart bodies and gRPC messages.

use std::fmt::Write as _;

use prost::Message;

use crate::{
    bodies::{Chance, Fields, bent, other_key, shuffle},
    hidden,
    readers::Login,
    words::{PHONES, TOKENS},
};

/// Token, phone and others, by name.
fn pairs(fields: Fields, chance: &mut Chance) -> Vec<(String, String)> {
    let [token, phone] = fields.names();
    let text = chance.mostly(TOKENS.len() - 6, TOKENS);
    let mut pairs = vec![
        (token.to_owned(), text.to_owned()),
        (phone.to_owned(), chance.mostly(4, PHONES).trim_matches('"').to_owned()),
    ];
    for (name, _) in &mut pairs {
        if chance.one_in(24) {
            *name = bent(name, chance);
        }
    }
    for _ in 0..chance.below(3) {
        let value = if chance.one_in(2) { hidden::text(fields, chance) } else { chance.pick(TOKENS).to_owned() };
        pairs.push((other_key(fields, chance), value));
    }
    shuffle(&mut pairs, chance);
    pairs
}

pub(crate) fn multipart(fields: Fields, chance: &mut Chance) -> Vec<u8> {
    let mut text = chance.mostly(1, &["", "\r\n", "preamble\r\n", " ", "\n"]).to_owned();
    for (name, value) in pairs(fields, chance) {
        let name = chance.mostly(
            1,
            &[
                format!("\"{name}\""),
                name.clone(),
                format!("\"{name}\"; filename=\"x\""),
                format!("\"{name}\"; name=\"x\""),
                format!("\"x\"; name*=utf-8''{name}"),
                format!("\"x\"; name=\"{name}\""),
                format!("\"{}\"", name.replace('"', "%22")),
                format!("\"{}\"", name.replace('"', "\\\"")),
                format!("\"x;name={name}\""),
            ],
        );
        let kind = chance.mostly(
            1,
            &[
                "",
                "Content-Type: text/plain\r\n",
                "Content-Type: text/plain; charset=utf-8\r\n",
                "Content-Type: text/plain; charset=gbk\r\n",
                "Content-Type: text/plain; charset=ISO-8859-1\r\n",
                "Content-Type: application/json\r\n",
                "Content-Transfer-Encoding: base64\r\n",
                "Content-Transfer-Encoding: quoted-printable\r\n",
                "Content-Disposition: form-data; name=\"x\"\r\n",
                "X: y\r\n z\r\n",
            ],
        );
        let disposition = chance.mostly(
            1,
            &["Content-Disposition: form-data", "content-disposition:form-data", "Content-Disposition: attachment"],
        );
        write!(text, "--b\r\n{disposition}; name={name}\r\n{kind}\r\n{value}\r\n").unwrap();
    }
    text.push_str(
        chance.mostly(1, &["--b--\r\n", "--b--", "--b--\r\nepilogue", "--b\r\n", "", "--b --\r\n", "--b-- \r\n"]),
    );
    text.into_bytes()
}

/// One frame.
pub(crate) fn grpc(fields: Fields, chance: &mut Chance) -> Vec<u8> {
    let others = (0..chance.below(3))
        .map(|_| if chance.one_in(2) { hidden::text(fields, chance) } else { chance.pick(TOKENS).to_owned() })
        .collect();
    let login = Login {
        token: chance.mostly(TOKENS.len() - 6, TOKENS).to_owned(),
        phone: chance.mostly(4, PHONES).trim_matches('"').to_owned(),
        others,
    };
    let mut message = login.encode_to_vec();
    if chance.one_in(8) {
        message.extend(Login { others: vec![hidden::text(fields, chance)], ..Login::default() }.encode_to_vec());
    }
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[chance.mostly(1, &[0, 1, 2])], length.as_slice(), &message].concat()
}
