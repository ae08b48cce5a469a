//! `gridtally show search`: what is looked for among everything that ever happened.

use clap::{Args, Subcommand};
use primitives::calendar::LocalDay;
use primitives::identifier::{BillId, KeyAddress, PartyId, UsagePointId};
use primitives::units::MicroCurrency;

use super::text::Layout;
use super::{Page, key_address, layouts, text_of, with};
use crate::commands::submit::values;

/// What is looked for.
#[derive(Debug, Subcommand)]
pub enum Search {
    /// Transactions, the newest first.
    #[command(after_help = "Example:\n  gridtally show search transactions --party PARTY_ID \
        --kind PayBill --from 2026-07-01")]
    Transactions {
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        meter: OfMeter,
        #[command(flatten)]
        kind: Kind,
        /// 0 for what acted, else the number of the rule that was broken.
        #[arg(long, value_name = "NUMBER")]
        code: Option<u16>,
        #[command(flatten)]
        days: Days,
        #[command(flatten)]
        slots: Slots,
        #[command(flatten)]
        page: Page,
    },
    /// Bills, the newest first.
    #[command(after_help = "Example:\n  gridtally show search bills --state open \
        --amount-min 100 --key distributor.key")]
    Bills {
        #[command(flatten)]
        whom: Whom,
        /// `open`, `paid` or `replaced`.
        #[arg(long, value_name = "STATE", value_parser = word)]
        state: Option<String>,
        #[command(flatten)]
        amounts: Amounts,
        #[command(flatten)]
        days: Days,
        #[command(flatten)]
        page: Page,
    },
    /// Payments and other movements of tokens, the newest first.
    #[command(after_help = "Example:\n  gridtally show search payments --party PARTY_ID \
        --key home-17.key")]
    Payments {
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        kind: Kind,
        #[command(flatten)]
        amounts: Amounts,
        #[command(flatten)]
        days: Days,
        #[command(flatten)]
        page: Page,
    },
    /// Disputes over bills, the newest first.
    #[command(after_help = "Example:\n  gridtally show search disputes --state open \
        --key regulator.key")]
    Disputes(Disputes),
    /// Organisations and households, the newest first.
    #[command(after_help = "Example:\n  gridtally show search parties --role distributor")]
    Parties {
        /// The party.
        #[arg(long, value_name = "ID")]
        party: Option<PartyId>,
        /// A role, such as `distributor` or `grid_operator`.
        #[arg(long, value_name = "ROLE", value_parser = word)]
        role: Option<String>,
        /// `active`, `suspended` or `closed`.
        #[arg(long, value_name = "STATE", value_parser = word)]
        state: Option<String>,
        /// The whole pseudonym.
        #[arg(long, value_name = "TEXT")]
        alias: Option<String>,
        /// The whole name of the region.
        #[arg(long, value_name = "TEXT")]
        region: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Meters in service and former ones, the newest first.
    #[command(after_help = "Example:\n  gridtally show search meters --usage-point \
        USAGE_POINT_ID --state in_service")]
    Meters {
        #[command(flatten)]
        meter: OfMeter,
        /// The usage point.
        #[arg(long, value_name = "ID")]
        usage_point: Option<UsagePointId>,
        /// `in_service` or `replaced`.
        #[arg(long, value_name = "STATE", value_parser = word)]
        state: Option<String>,
        #[command(flatten)]
        days: Days,
        #[command(flatten)]
        slots: Slots,
        #[command(flatten)]
        page: Page,
    },
    /// Readings of a usage point or meter, slot by slot, the oldest first.
    #[command(after_help = "Example:\n  gridtally show search readings --usage-point \
        USAGE_POINT_ID --from 2026-07-01 --until 2026-07-02 --key home-17.key")]
    Readings {
        #[command(flatten)]
        meter: OfMeter,
        /// The usage point.
        #[arg(long, value_name = "ID", required_unless_present = "meter")]
        usage_point: Option<UsagePointId>,
        /// `single`, `sealed` or `corrected`.
        #[arg(long, value_name = "STATE", value_parser = word)]
        state: Option<String>,
        #[command(flatten)]
        days: Days,
        #[command(flatten)]
        slots: Slots,
        #[command(flatten)]
        page: Page,
    },
}

/// Which disputes.
#[derive(Debug, Clone, Args)]
pub struct Disputes {
    #[command(flatten)]
    whom: Whom,
    /// `open`, `decided` or `replaced`.
    #[arg(long, value_name = "STATE", value_parser = word)]
    state: Option<String>,
    #[command(flatten)]
    amounts: Amounts,
    #[command(flatten)]
    days: Days,
    #[command(flatten)]
    page: Page,
}

/// Whom it names.
#[derive(Debug, Clone, Args)]
pub struct Whom {
    /// A party that it names.
    #[arg(long, value_name = "ID")]
    party: Option<PartyId>,
    /// A usage point that it names.
    #[arg(long, value_name = "ID")]
    usage_point: Option<UsagePointId>,
    /// A bill that it names.
    #[arg(long, value_name = "ID")]
    bill: Option<BillId>,
}

/// Which meter.
#[derive(Debug, Clone, Args)]
pub struct OfMeter {
    /// The meter: its key's address, or the key itself as ed25519:….
    #[arg(long, value_name = "ADDRESS", value_parser = key_address)]
    meter: Option<KeyAddress>,
}

/// Which kind of transaction.
#[derive(Debug, Clone, Args)]
pub struct Kind {
    /// The name or number of a kind of transaction, such as PayBill.
    #[arg(long, value_name = "KIND", value_parser = word)]
    kind: Option<String>,
}

/// Which days.
#[derive(Debug, Clone, Args)]
pub struct Days {
    /// Not before this local day.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    from: Option<LocalDay>,
    /// Not after this local day.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    until: Option<LocalDay>,
}

/// Which settlement periods.
#[derive(Debug, Clone, Args)]
pub struct Slots {
    /// Not before this settlement period.
    #[arg(long, value_name = "NUMBER")]
    from_period: Option<u32>,
    /// Not after this settlement period.
    #[arg(long, value_name = "NUMBER")]
    until_period: Option<u32>,
}

/// How much.
#[derive(Debug, Clone, Args)]
pub struct Amounts {
    /// At least this amount of the currency.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount, allow_negative_numbers = true)]
    amount_min: Option<MicroCurrency>,
    /// At most this amount of the currency.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount, allow_negative_numbers = true)]
    amount_max: Option<MicroCurrency>,
}

/// A word of the API: nothing that would change the address around it.
fn word(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !text.is_empty() && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err("wanted is one word of letters".to_owned())
}

/// A text as it stands in a query.
fn encoded(text: &Option<String>) -> Option<String> {
    text.as_ref().map(|text| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let one = |byte: u8| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        text.bytes().map(one).collect()
    })
}

type Parameters = Vec<(&'static str, Option<String>)>;

impl Whom {
    fn parameters(&self) -> Parameters {
        vec![
            ("party", text_of(&self.party)),
            ("usage_point", text_of(&self.usage_point)),
            ("bill", text_of(&self.bill)),
        ]
    }
}

impl OfMeter {
    fn parameters(&self) -> Parameters {
        vec![("meter", text_of(&self.meter))]
    }
}

impl Days {
    pub fn parameters(&self) -> Parameters {
        vec![("from_day", text_of(&self.from)), ("to_day", text_of(&self.until))]
    }
}

impl Slots {
    fn parameters(&self) -> Parameters {
        vec![
            ("from_period", text_of(&self.from_period)),
            ("to_period", text_of(&self.until_period)),
        ]
    }
}

impl Amounts {
    fn parameters(&self) -> Parameters {
        let micro = |amount: &Option<MicroCurrency>| amount.map(|it| it.get().to_string());
        vec![("amount_min", micro(&self.amount_min)), ("amount_max", micro(&self.amount_max))]
    }
}

fn path(what: &str, groups: &[Parameters], page: &Page) -> String {
    page.of(&with(&format!("/v1/search/{what}"), &groups.concat()))
}

impl Disputes {
    pub fn path(&self) -> String {
        let Self { whom, state, amounts, days, page } = self;
        let state = vec![("state", state.clone())];
        let groups = [whom.parameters(), state, amounts.parameters(), days.parameters()];
        path("disputes", &groups, page)
    }
}

impl Search {
    /// The API's address.
    pub fn path(&self) -> String {
        let one = |name, value: &Option<String>| vec![(name, value.clone())];
        match self {
            Self::Transactions { whom, meter, kind, code, days, slots, page } => {
                let code = vec![("code", text_of(code))];
                let kind = one("kind", &kind.kind);
                let (whom, meter) = (whom.parameters(), meter.parameters());
                let groups = [whom, meter, kind, code, days.parameters(), slots.parameters()];
                path("transactions", &groups, page)
            }
            Self::Bills { whom, state, amounts, days, page } => {
                let (whom, state) = (whom.parameters(), one("state", state));
                path("bills", &[whom, state, amounts.parameters(), days.parameters()], page)
            }
            Self::Payments { whom, kind, amounts, days, page } => {
                let (whom, kind) = (whom.parameters(), one("kind", &kind.kind));
                path("payments", &[whom, kind, amounts.parameters(), days.parameters()], page)
            }
            Self::Disputes(disputes) => disputes.path(),
            Self::Parties { party, role, state, alias, region, page } => {
                let group = vec![
                    ("party", text_of(party)),
                    ("role", role.clone()),
                    ("state", state.clone()),
                    ("alias", encoded(alias)),
                    ("region", encoded(region)),
                ];
                path("parties", &[group], page)
            }
            Self::Meters { meter, usage_point, state, days, slots, page } => {
                let point = vec![("usage_point", text_of(usage_point))];
                let (meter, state) = (meter.parameters(), one("state", state));
                let groups = [meter, point, state, days.parameters(), slots.parameters()];
                path("meters", &groups, page)
            }
            Self::Readings { meter, usage_point, state, days, slots, page } => {
                let point = vec![("usage_point", text_of(usage_point))];
                let (meter, state) = (meter.parameters(), one("state", state));
                let groups = [meter, point, state, days.parameters(), slots.parameters()];
                path("readings", &groups, page)
            }
        }
    }

    /// How the answer is laid out for people.
    pub const fn layout(&self) -> Layout {
        match self {
            Self::Transactions { .. } => layouts::TRANSACTIONS_FOUND,
            Self::Bills { .. } => layouts::BILLS_FOUND,
            Self::Payments { .. } => layouts::PAYMENTS,
            Self::Disputes(_) => layouts::DISPUTES,
            Self::Parties { .. } => layouts::PARTIES,
            Self::Meters { .. } => layouts::METERS,
            Self::Readings { .. } => layouts::READINGS_FOUND,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_change_the_address() {
        let text = encoded(&Some("Hüter & Söhne?a=1#".to_owned()));
        assert_eq!(text.as_deref(), Some("H%C3%BCter%20%26%20S%C3%B6hne%3Fa%3D1%23"));
        assert!(word("open&limit=2").is_err() && word("").is_err());
        assert_eq!(word("in_service").as_deref(), Ok("in_service"));
    }
}
