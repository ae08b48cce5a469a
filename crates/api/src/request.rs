//! What every request has in common: its parts read strictly, one view, one height, one reader.
//!
//! A handler takes an [`Ask`], reads its path and its query parameters from it, and ends with
//! [`Ask::read`]: that refuses parameters nobody asked for, waits for `at_least`, finds out who reads,
//! and runs the work on a thread that may block, with a [`Read`] that holds the one view.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use contracts::{Rules, State};
use ledger::View;
use primitives::calendar::LocalDay;
use serde::Serialize;

use crate::problem::{self, Problem};
use crate::rights::Viewer;
use crate::routes::Shared;
use crate::session::Token;

/// The header that names the height from which an answer comes.
pub const HEIGHT_HEADER: HeaderName = HeaderName::from_static("gridtally-height");

/// How long an answer waits for a height, or for a header that makes something provable.
pub const WAIT: Duration = Duration::from_secs(5);
/// Items of a list when the caller does not say.
pub const DEFAULT_LIMIT: usize = 100;
/// Items of a list at most.
pub const MAX_LIMIT: usize = 1_000;
/// Query parameters of a request at most.
const MAX_PARAMETERS: usize = 16;

/// A request for something to read.
pub struct Ask {
    pub(crate) shared: Arc<Shared>,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    token: Option<Token>,
}

impl FromRequestParts<Arc<Shared>> for Ask {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        Ok(Self {
            shared: Arc::clone(shared),
            path: path(parts, shared).await?,
            query: query(parts)?,
            token: bearer(&parts.headers)?,
        })
    }
}

async fn path(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Vec<(String, String)>, Problem> {
    match RawPathParams::from_request_parts(parts, shared).await {
        Ok(params) => {
            Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        }
        Err(RawPathParamsRejection::MissingPathParams(_)) => Ok(Vec::new()),
        Err(_) => Err(Problem::new(problem::WRONG_PATH, "the address is not UTF-8")),
    }
}

fn query(parts: &Parts) -> Result<Vec<(String, String)>, Problem> {
    let wrong = |detail: String| Problem::new(problem::WRONG_QUERY, detail);
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|_| wrong("the query is not a list of name=value".to_owned()))?;
    if query.len() > MAX_PARAMETERS {
        return Err(wrong(format!("at most {MAX_PARAMETERS} parameters are taken")));
    }
    for (index, (name, _)) in query.iter().enumerate() {
        if query[..index].iter().any(|(other, _)| other == name) {
            return Err(wrong(format!("{} stands twice", shown(name))));
        }
    }
    Ok(query)
}

/// The token of `Authorization: Bearer`; `None` without the header.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<Token>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = "wanted is one header Authorization: Bearer, with the token of a session";
    let wrong = || Problem::new(problem::WRONG_HEADER, wrong);
    if values.next().is_some() {
        return Err(wrong());
    }
    let (scheme, token) = value.to_str().ok().and_then(|v| v.split_once(' ')).ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(wrong());
    }
    token.parse().map(Some).map_err(|_| wrong())
}

/// A caller's text as it may stand in a problem: short, in quotation marks, control characters told.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    format!("{short:?}")
}

impl Ask {
    /// A part of the address.
    ///
    /// # Errors
    /// 400 when it has the wrong form.
    pub fn path<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, Problem> {
        let found = self.path.iter().find(|(other, _)| other == name);
        let (_, text) = found.expect("the route's pattern names every part that is asked for");
        text.parse().map_err(|error| {
            Problem::new(problem::WRONG_PATH, format!("{name} {}: {error}", shown(text)))
        })
    }

    /// Takes a query parameter; `None` when it is not given.
    ///
    /// # Errors
    /// 400 when its value has the wrong form.
    pub fn take<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(index) = self.query.iter().position(|(other, _)| other == name) else {
            return Ok(None);
        };
        let (_, text) = self.query.swap_remove(index);
        text.parse().map(Some).map_err(|error| {
            Problem::new(problem::WRONG_QUERY, format!("{name}={}: {error}", shown(&text)))
        })
    }

    /// Takes `limit`, 1 to 1,000, by default 100.
    ///
    /// # Errors
    /// 400 when it lies outside.
    pub fn limit(&mut self) -> Result<usize, Problem> {
        let limit = self.take("limit")?.unwrap_or(DEFAULT_LIMIT);
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        let detail = format!("limit={limit}: wanted is 1 to {MAX_LIMIT}");
        Err(Problem::new(problem::WRONG_QUERY, detail))
    }

    /// Takes `day`, a local day of the grid zone such as 2016-06-01.
    ///
    /// # Errors
    /// 400 when it is no day.
    pub fn day(&mut self) -> Result<Option<LocalDay>, Problem> {
        self.take("day")
    }

    /// Who asks whom, for answers that outlive one view.
    ///
    /// # Errors
    /// 400 when a parameter is left that nobody asked for.
    pub(crate) fn into_parts(self) -> Result<(Arc<Shared>, Option<Token>), Problem> {
        self.refuse_rest()?;
        Ok((self.shared, self.token))
    }

    fn refuse_rest(&self) -> Result<(), Problem> {
        let Some((name, _)) = self.query.first() else { return Ok(()) };
        let detail = format!("{} is not a parameter here", shown(name));
        Err(Problem::new(problem::WRONG_QUERY, detail))
    }

    /// Answers with JSON; everything in it comes from one view.
    ///
    /// # Errors
    /// Whatever stands against it.
    pub async fn read<T: Serialize>(
        self,
        work: impl FnOnce(&Read) -> Result<T, Problem> + Send + 'static,
    ) -> Result<Response, Problem> {
        self.answer("application/json", move |read| {
            serde_json::to_vec(&work(read)?).map_err(Problem::internal)
        })
        .await
    }

    /// Answers with bytes of a content type.
    ///
    /// # Errors
    /// Whatever stands against it.
    pub async fn answer(
        self,
        content_type: &'static str,
        work: impl FnOnce(&Read) -> Result<Vec<u8>, Problem> + Send + 'static,
    ) -> Result<Response, Problem> {
        let (height, result) = self.with_view(work).await?;
        let mut response = match result {
            Ok(bytes) => {
                ([(CONTENT_TYPE, HeaderValue::from_static(content_type))], bytes).into_response()
            }
            Err(problem) => problem.into_response(),
        };
        response.headers_mut().insert(HEIGHT_HEADER, height.into());
        Ok(response)
    }

    /// Runs work over one view; gives its height too.
    ///
    /// # Errors
    /// What stands against reading at all; what stands against the work is inside.
    pub async fn with_view<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&Read) -> Result<T, Problem> + Send + 'static,
    ) -> Result<(u64, Result<T, Problem>), Problem> {
        let at_least = self.take::<u64>("at_least")?;
        self.refuse_rest()?;
        let view = match at_least {
            Some(height) => self.shared.view_at_least(height).await?,
            None => self.shared.reader().view()?,
        };
        let (shared, token) = (Arc::clone(&self.shared), self.token);
        self.shared
            .blocking(move || {
                let height = view.height();
                let result = Read::new(&shared, view, token.as_ref()).and_then(|read| work(&read));
                (height, result)
            })
            .await
    }
}

/// What a read works with: one view and the rights of who reads.
pub struct Read {
    /// The ledger at one height.
    pub view: View,
    /// Who reads.
    pub viewer: Viewer,
}

impl Read {
    pub(crate) fn new(shared: &Shared, view: View, token: Option<&Token>) -> Result<Self, Problem> {
        let viewer = shared.viewer(&view, token)?;
        Ok(Self { view, viewer })
    }

    /// The genesis and what follows from it.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        self.view.rules()
    }

    /// Reads the state.
    ///
    /// # Errors
    /// 500 when the store fails.
    pub fn state<T>(&self, query: impl FnOnce(&dyn State) -> T) -> Result<T, Problem> {
        Ok(self.view.read(query)?)
    }

    /// The local day that runs by the newest block's time.
    #[must_use]
    pub fn today(&self) -> LocalDay {
        let period = self.rules().period_at(self.view.head().header.time);
        self.rules().calendar().day_of(period).unwrap_or(LocalDay::MAX)
    }
}
