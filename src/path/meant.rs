//! Whether a path may mean one of several tables.

use super::{
    meter::Meter,
    route_parameters::RouteParameters,
    table::{Found, Table},
};

// === impl Table ===

impl<T> Table<T> {
    /// Whether any reading of a path is in the table. Also `true` if the work is used up.
    pub(crate) fn may_mean(&self, path: &str, meter: &mut Meter) -> bool {
        !matches!(self.find_within(path, meter), Found::Nothing)
    }

    /// Whether any routing parameter of a query may name a path in the table.
    pub(crate) fn may_mean_in_query(&self, query: &str, parameters: &RouteParameters) -> bool {
        let mut meter = Meter::new(5_000 + 60 * query.len());
        !matches!(self.find_in_query(query, parameters, &mut meter), Found::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Pattern;

    #[test]
    fn a_path_means_what_any_of_its_readings_means_and_everything_once_the_work_is_used_up() {
        let table = Table::build([(Pattern::parse("/login").unwrap(), ())]).unwrap();
        let may_mean = |path: &str| table.may_mean(path, &mut Meter::of_tables(path, 1));
        for path in ["/login", "/LOGIN/", "/x/../login", "/login%2F", "/x%2F..%2Flogin", "login"] {
            assert!(may_mean(path), "{path}");
        }
        for path in ["/", "/register", "/register%2F", "/x%2Flogin"] {
            assert!(!may_mean(path), "{path}");
        }
        assert!(table.may_mean("/register%2Flogin", &mut Meter::new(0)));
    }
}
