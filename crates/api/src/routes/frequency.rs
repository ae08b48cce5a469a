//! `/v1/frequency`: the grid's frequency of a local day, public.

use axum::response::Response;

use crate::problem::Problem;
use crate::request::Ask;
use crate::response::day::FrequenciesDay;

/// The frequencies of a local day, by default the running one.
pub(crate) async fn day(mut ask: Ask) -> Result<Response, Problem> {
    let day = ask.day()?;
    ask.read(move |read| {
        let day = day.unwrap_or_else(|| read.today());
        let frequencies = read.state(|state| state.frequency_day(day))?;
        Ok(FrequenciesDay::new(day, &frequencies, read.rules()))
    })
    .await
}
