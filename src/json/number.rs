//! Numbers: exactly JSON's grammar, within the range of an `f64`.

use super::{
    Malformed,
    scan::{Mode, Scanner},
};

/// A number, as text.
pub(crate) struct Number<'v> {
    text: &'v str,
    unsigned: Option<u64>,
}

// === impl Scanner ===

impl<'v, M: Mode> Scanner<'v, M> {
    /// Takes a number.
    pub(crate) fn number(&mut self) -> Result<Number<'v>, Malformed> {
        self.next_byte();
        let start = self.at;
        let unsigned = self.unsigned();
        if unsigned.is_none() {
            self.skip_number()?;
        }
        Ok(Number { text: self.text.get(start..self.at).ok_or(Malformed::NotJson)?, unsigned })
    }

    /// Takes a number if it is an unsigned integer of at most 19 digits, which fits a `u64`. Nearly all numbers are. White space must have
    /// been taken.
    #[inline]
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (mut integer, mut length) = (0_u64, 0);
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            integer = integer.wrapping_mul(10).wrapping_add(digit.into());
            length += 1;
        }
        let is_one = match (rest.first(), rest.get(length)) {
            (_, Some(b'.' | b'e' | b'E')) => false,
            (Some(b'0'), _) => length == 1,
            _ => (1..=19).contains(&length),
        };
        if !is_one {
            return None;
        }
        self.at += length;
        Some(integer)
    }

    /// Takes any number in the range of an `f64`.
    #[inline]
    pub(super) fn skip_number(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        let exponent = self.skip_digits_and_marks()?;
        if !M::LENIENT && (exponent || self.at - start > 300) {
            let text = self.text.get(start..self.at).ok_or(Malformed::NotJson)?;
            if !text.parse().is_ok_and(f64::is_finite) {
                return Err(Malformed::NumberBeyondBounds);
            }
        }
        Ok(())
    }

    /// Takes the parts of a number; returns whether there was an exponent.
    #[inline]
    fn skip_digits_and_marks(&mut self) -> Result<bool, Malformed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.skip_digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.skip_digits()?;
        }
        if !matches!(self.peek(), Some(b'e' | b'E')) {
            return Ok(false);
        }
        self.at += 1;
        if matches!(self.peek(), Some(b'+' | b'-')) {
            self.at += 1;
        }
        self.skip_digits()?;
        Ok(true)
    }

    /// Takes at least one digit.
    #[inline]
    fn skip_digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(Malformed::NotJson) } else { Ok(()) }
    }
}

// === impl Number ===

impl Number<'_> {
    /// Its length in bytes.
    pub(crate) fn length(&self) -> usize {
        self.text.len()
    }

    /// Its value, if it is written as an integer from 0 to `u64::MAX`: without sign, fraction and exponent.
    #[inline]
    pub(crate) fn unsigned(&self) -> Option<u64> {
        self.unsigned.or_else(|| self.text.parse().ok())
    }

    /// Its value, if it is written as an integer from `i64::MIN` to -1: without fraction and exponent.
    #[cfg(feature = "client")]
    pub(crate) fn negative(&self) -> Option<i64> {
        self.text.parse().ok().filter(|integer| *integer < 0)
    }
}
