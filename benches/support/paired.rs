//! Two works in turn: other load on the machine affects both.

/// The results of each pair of rounds, the first work's first, after `warm_up` pairs that do not count. The work that begins a pair alternates.
/// Each round gets its number.
pub(crate) fn paired<T>(
    (warm_up, rounds): (usize, usize),
    mut first: impl FnMut(usize) -> T,
    mut second: impl FnMut(usize) -> T,
) -> Vec<(T, T)> {
    let pairs = (0..warm_up + rounds).map(|number| {
        if number % 2 == 0 {
            let result = first(number);
            (result, second(number))
        } else {
            let result = second(number);
            (first(number), result)
        }
    });
    pairs.skip(warm_up).collect()
}

pub(crate) fn median(all: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = all.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
