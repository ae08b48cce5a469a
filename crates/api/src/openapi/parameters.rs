//! Every parameter of an address or query, once.

use serde_json::{Map, Value, json};

/// Where a parameter stands and what it takes.
struct Parameter {
    name: &'static str,
    place: &'static str,
    form: Form,
    description: &'static str,
}

/// The form of a value.
enum Form {
    /// Lower-case hexadecimal of so many digits.
    Hex(u8),
    /// A number without a sign, below 2⁶⁴.
    Number,
    /// A signed amount.
    Amount,
    /// `limit`.
    Limit,
    /// `2016-06-01`.
    Day,
    /// What the list gave as `next`, or a text.
    Text,
}

const fn path(name: &'static str, form: Form, description: &'static str) -> Parameter {
    Parameter { name, place: "path", form, description }
}

const fn query(name: &'static str, form: Form, description: &'static str) -> Parameter {
    Parameter { name, place: "query", form, description }
}

const PARAMETERS: &[Parameter] = &[
    path("transaction", Form::Hex(64), "The id of a transaction."),
    path("height", Form::Number, "The height of a block."),
    path("key_address", Form::Hex(64), "The address of a key: its hash."),
    path("party", Form::Hex(64), "The id of a party."),
    path("usage_point", Form::Hex(32), "The id of a usage point."),
    path("bill", Form::Hex(32), "The id of a bill."),
    path("proposal", Form::Hex(64), "The id of a proposal: of the proposing transaction."),
    path("tariff", Form::Hex(32), "The id of a tariff."),
    path("ledger_id", Form::Text, "The id of another ledger: `grid-` or `demo-` and hexadecimal."),
    query("after", Form::Text, "Where the page begins: `next` of the page before."),
    query("bills_after", Form::Text, "Where the list of bills begins."),
    query("before", Form::Number, "Blocks below this height."),
    query("limit", Form::Limit, "Items of the page."),
    query("period", Form::Number, "A settlement period, instead of a day."),
    query("usage_point", Form::Hex(32), "The id of a usage point."),
    query("party", Form::Hex(64), "Whom it names: who signed, was registered, billed or paid."),
    query("bill", Form::Hex(32), "The id of a bill."),
    query("meter", Form::Hex(64), "The address of a meter's key."),
    query("kind", Form::Text, "The name or number of a kind of transaction."),
    query("code", Form::Number, "0 for what acted, else the number of a rule."),
    query(
        "state",
        Form::Text,
        "The `status` or `state` of what is searched, as far as the reader may see it.",
    ),
    query("role", Form::Text, "A role of a party, such as distributor."),
    query("alias", Form::Text, "The pseudonym of a party, as far as the reader may see it."),
    query("region", Form::Text, "The region of a party, as far as the reader may see it."),
    query(
        "account",
        Form::Text,
        "One account: `wallet`, `issuing` or `dues-` and the other party.",
    ),
    query("from_day", Form::Day, "Not before this local day."),
    query("to_day", Form::Day, "Not after this local day."),
    query("from_period", Form::Number, "Not before this settlement period."),
    query("to_period", Form::Number, "Not after this settlement period."),
    query("amount_min", Form::Amount, "At least this many micro, of what the reader may see."),
    query("amount_max", Form::Amount, "At most this many micro, of what the reader may see."),
    query("since", Form::Number, "Events above this height."),
    query("topics", Form::Text, "Topics with commas between them; by default all."),
    query("day", Form::Day, "A local day of the grid's zone; by default the running one."),
    query(
        "billing_period",
        Form::Text,
        "A billing period: 2026-07-01, 2026-07, 2026-Q3, 2026-H2, 2026 or 2026-07-01..2026-07-10.",
    ),
    query("profile", Form::Hex(64), "A standard profile: the transaction that published it."),
    query(
        "at_least",
        Form::Number,
        "Waits up to 5 seconds until the node has reached this height.",
    ),
];

/// A reference to a parameter of an address or query by its name.
pub(super) fn reference(name: &str, place: &str) -> Value {
    let parameter = PARAMETERS.iter().find(|it| it.name == name && it.place == place);
    let name = component(parameter.expect("the table of operations names parameters of this list"));
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// Path and query may use the same word: then the query's component bears a prefix.
fn component(parameter: &Parameter) -> String {
    let is_double = parameter.place == "query"
        && PARAMETERS.iter().any(|it| it.place == "path" && it.name == parameter.name);
    if is_double { format!("of_{}", parameter.name) } else { parameter.name.to_owned() }
}

/// All parameters, as components.
pub(super) fn all() -> Value {
    let all: Map<String, Value> = PARAMETERS
        .iter()
        .map(|parameter| {
            let described = json!({
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.place == "path",
                "description": parameter.description,
                "schema": schema(&parameter.form),
            });
            (component(parameter), described)
        })
        .collect();
    Value::Object(all)
}

fn schema(form: &Form) -> Value {
    match form {
        Form::Hex(digits) => {
            json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$") })
        }
        Form::Number => json!({ "type": "integer", "format": "uint64", "minimum": 0 }),
        Form::Amount => json!({ "type": "integer", "format": "int64" }),
        Form::Limit => json!({
            "type": "integer",
            "minimum": 1,
            "maximum": crate::request::MAX_LIMIT,
            "default": crate::request::DEFAULT_LIMIT,
        }),
        Form::Day => json!({ "type": "string", "format": "date" }),
        Form::Text => json!({ "type": "string" }),
    }
}
