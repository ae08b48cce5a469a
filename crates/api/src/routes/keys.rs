//! `/v1/keys/{key_address}` and `…/sequence`: a key, for whom it speaks, which sequence is next.

use axum::response::Response;
use primitives::identifier::KeyAddress;

use crate::problem::Problem;
use crate::request::Ask;
use crate::response::party::KeyEntry;

/// A key; one that nobody registered has sequence 0, so that a client can begin with it.
pub(crate) async fn one(ask: Ask) -> Result<Response, Problem> {
    let address: KeyAddress = ask.path("key_address")?;
    ask.read(move |read| {
        let (record, highest) =
            read.state(|state| (state.key_record(&address), state.highest_sequence(&address)))?;
        Ok(KeyEntry::new(address.to_string(), record.as_ref(), highest))
    })
    .await
}
