//! `/v1/accounts/{party}`: the accounts of a party, as far as the reader may see them.

use axum::response::Response;
use contracts::account::Account;
use primitives::identifier::PartyId;

use super::parties;
use crate::problem::Problem;
use crate::request::{Ask, Read};
use crate::response::Page;
use crate::response::account::{AccountName, Accounts, Balance};

/// The accounts of a party that are not zero.
pub(crate) async fn of_party(mut ask: Ask) -> Result<Response, Problem> {
    let id: PartyId = ask.path("party")?;
    let after = ask.take::<AccountName>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| {
        read.state(|state| state.party(id))?.map_err(|_| parties::not_found())?;
        load(read, id, after, limit)
    })
    .await
}

/// A page of a party's accounts. Who may not see them all sees at most the dues with itself.
pub(super) fn load(
    read: &Read,
    party: PartyId,
    after: Option<AccountName>,
    limit: usize,
) -> Result<Accounts, Problem> {
    let after = after.map(|AccountName(kind)| Account { party, kind });
    if read.viewer.sees_accounts_of(party) {
        let found = read.state(|state| match after {
            None => state.accounts_of(party, limit + 1),
            Some(after) => state.accounts(Some(&after), limit + 1),
        })?;
        let own = found.iter().take_while(|(account, _)| account.party == party);
        let items = own.map(|(account, balance)| Balance::new(account, *balance)).collect();
        let page = Page::cut(items, limit, |balance: &Balance| balance.account.clone());
        let (items, next) = (page.items, page.next);
        return Ok(Accounts { party: party.to_string(), items, next, withheld: false });
    }
    let mut items = Vec::new();
    if let Some(viewer) = read.viewer.party() {
        let dues = Account::dues(party, viewer);
        let balance = read.state(|state| state.balance(&dues))?;
        if balance.get() != 0 && after.is_none_or(|after| after < dues) {
            items.push(Balance::new(&dues, balance));
        }
    }
    Ok(Accounts { party: party.to_string(), items, next: None, withheld: true })
}
