//! The path of a request.

use http::Uri;

use crate::path::{Found, Meter, ParameterValues, Parameters, Table, Unclear};

/// The path of a request, and the path before a router stripped its prefix.
#[derive(Clone, Copy)]
pub(super) struct Place<'u> {
    path: &'u str,
    original: Option<&'u str>,
}

// === impl Place ===

impl<'u> Place<'u> {
    // Every request runs it, and it is smaller than a call.
    #[expect(clippy::inline_always, reason = "callers that are cold make the compiler think otherwise")]
    #[inline(always)]
    pub(super) fn of(uri: &'u Uri, original: Option<&'u Uri>) -> Self {
        let original = original.and_then(|original| original_path(original, uri));
        Self { path: path_of(uri), original }
    }

    /// Finds the path in the table. Either of the two paths may match, and two different entries are ambiguous.
    #[inline]
    pub(super) fn find_in<'t, T>(&self, table: &'t Table<T>) -> Found<'t, T> {
        match self.original {
            None => table.find(self.path),
            Some(_) => self.find_within(table, &mut Meter::of_request(self.len(), false)),
        }
    }

    /// The same within a work that several searches share.
    #[inline(never)]
    pub(super) fn find_within<'t, T>(&self, table: &'t Table<T>, meter: &mut Meter) -> Found<'t, T> {
        let found = table.find_within(self.path, meter);
        match self.original {
            None => found,
            Some(original) => either(found, table.find_within(original, meter)),
        }
    }

    /// How many bytes the paths have.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.path.len() + self.original.map_or(0, str::len)
    }

    /// The work for [`Place::may_mean`] in this number of tables.
    pub(super) fn meters(&self, tables: usize) -> [Meter; 2] {
        [self.path, self.original.unwrap_or_default()].map(|path| Meter::of_tables(path, tables))
    }

    /// Whether either of the two paths may mean an entry.
    pub(super) fn may_mean<T>(&self, table: &Table<T>, [meter, of_original]: &mut [Meter; 2]) -> bool {
        let original = self.original.is_some_and(|original| table.may_mean(original, of_original));
        table.may_mean(self.path, meter) || original
    }

    /// The values of the path's parameters.
    ///
    /// # Errors
    ///
    /// The readings of a path, or the two paths, differ in a parameter.
    pub(super) fn parameters(&self, parameters: &Parameters) -> Result<ParameterValues, Unclear> {
        let values = parameters.values(self.path)?;
        let original = self.original.map_or(Ok(None), |original| parameters.values(original))?;
        match (values, original) {
            (Some(values), Some(original)) if values == original => Ok(values),
            (Some(values), None) | (None, Some(values)) => Ok(values),
            (Some(_), Some(_)) | (None, None) => Err(Unclear),
        }
    }
}

/// The path before a router stripped its prefix, if it did.
#[inline(never)]
fn original_path<'u>(original: &'u Uri, uri: &Uri) -> Option<&'u str> {
    (original.path() != uri.path()).then(|| path_of(original))
}

/// What two paths mean together.
#[inline(never)]
fn either<'t, T>(one: Found<'t, T>, other: Found<'t, T>) -> Found<'t, T> {
    match (one, other) {
        (Found::One(one), Found::One(other)) if std::ptr::eq(one, other) => Found::One(one),
        (Found::Nothing, other) => other,
        (one, Found::Nothing) => one,
        (Found::One(_), Found::One(_)) | (Found::Ambiguous(None), _) | (_, Found::Ambiguous(None)) => {
            Found::Ambiguous(None)
        }
        (Found::Ambiguous(suspicion), _) | (_, Found::Ambiguous(suspicion)) => Found::Ambiguous(suspicion),
    }
}

/// The path, or what replaces it: a request line such as `POST login` has an authority and no path.
#[inline]
fn path_of(uri: &Uri) -> &str {
    match uri.path() {
        "" => uri.authority().map_or("", |authority| authority.as_str()),
        path => path,
    }
}

/// The path as the client has written it, before a router stripped its prefix.
pub(crate) fn path_as_written<'u>(uri: &'u Uri, original: Option<&'u Uri>) -> &'u str {
    let Place { path, original } = Place::of(uri, original);
    original.unwrap_or(path)
}
