//! The setters of [`Overrides`](super::settings::Overrides): those of the table, and those that share one value.

/// The setters of [`Overrides`], for a type with a field `overrides`.
macro_rules! setting_methods {
    () => {
        $crate::rule::setting_table! { $crate::rule::setters }

        /// Answers refusals with a closure. The closure receives the denial and the head of the request without the headers
        /// under the layer's prefix. It returns a response, or an `Option` of a response: `None` means the built-in answer
        /// ([`Denial::response`](crate::Denial::response)). Default: the built-in answer.
        ///
        /// The denial is added to the response's extensions either way. A panic is answered with 503.
        ///
        /// [`respond_async`](Self::respond_async) and, with the feature `axum`, `respond_into` set the same value: the last
        /// call wins.
        ///
        /// ```
        /// use bytes::Bytes;
        /// use http::{Response, header::{ACCEPT, LOCATION}, request::Parts};
        /// use tower_jverify::{Denial, Rule, number};
        ///
        /// // Browsers return to the form, and other clients get the problem document.
        /// fn to_form(head: &Parts, denial: &Denial) -> Option<Response<Bytes>> {
        ///     let accepts = head.headers.get(ACCEPT)?.to_str().ok()?;
        ///     let location = format!("/login?error={}", denial.code());
        ///     let redirect = Response::builder().status(303).header(LOCATION, location).body(Bytes::new());
        ///     if accepts.contains("text/html") { redirect.ok() } else { None }
        /// }
        /// let rule = Rule::post("/login", number()).respond(to_form);
        /// # let _ = rule;
        /// ```
        pub fn respond<R>(
            mut self,
            respond: impl Fn(&http::request::Parts, &$crate::denial::Denial) -> R + Send + Sync + 'static,
        ) -> Self
        where
            R: Into<Option<http::Response<bytes::Bytes>>>,
        {
            self.overrides.respond = Some($crate::denial::Respond::now(respond));
            self
        }

        /// Answers refusals with a closure that returns a future. The future's output is what a closure of
        /// [`respond`](Self::respond) returns. The future borrows nothing: the closure clones what it needs from the head
        /// and the denial.
        ///
        /// After 1 s the built-in answer is sent instead. The future is dropped when the client disconnects. A panic is
        /// answered with 503.
        ///
        /// ```
        /// use tower_jverify::{Denial, Rule, number};
        ///
        /// # async fn audit(_: String) {}
        /// let rule = Rule::post("/login", number()).respond_async(|head, denial: &Denial| {
        ///     let row = format!("{} {} {}", head.uri.path(), denial.code(), denial.detail().unwrap_or("-"));
        ///     let built_in = denial.response();
        ///     async move {
        ///         audit(row).await;
        ///         built_in
        ///     }
        /// });
        /// # let _ = rule;
        /// ```
        pub fn respond_async<F>(
            mut self,
            respond: impl Fn(&http::request::Parts, &$crate::denial::Denial) -> F + Send + Sync + 'static,
        ) -> Self
        where
            F: Future<Output: Into<Option<http::Response<bytes::Bytes>>>> + Send + 'static,
        {
            self.overrides.respond = Some($crate::denial::Respond::later(respond));
            self
        }

        /// Answers refusals with a closure that returns any type that implements axum's `IntoResponse`. Otherwise it works
        /// as [`respond`](Self::respond). A streamed body must end within 1 s, and is sent when it is complete.
        ///
        /// ```
        /// use axum::response::Redirect;
        /// use tower_jverify::{Rule, number};
        ///
        /// let rule = Rule::post("/login", number()).respond_into(|_head, denial| {
        ///     Redirect::to(&format!("/login?error={}", denial.code()))
        /// });
        /// # let _ = rule;
        /// ```
        #[cfg(feature = "axum")]
        #[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
        pub fn respond_into<R>(
            mut self,
            respond: impl Fn(&http::request::Parts, &$crate::denial::Denial) -> R + Send + Sync + 'static,
        ) -> Self
        where
            R: axum::response::IntoResponse,
        {
            self.overrides.respond = Some($crate::denial::Respond::axum(respond));
            self
        }
    };
}

pub(crate) use setting_methods;
