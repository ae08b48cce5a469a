//! Plain readable pages: written on the server, no scripts, nothing from other hosts.
//!
//! Pages are built from the same answers as the JSON, so what a reader may not see cannot reach them.
//! Text enters a page only through [`text`], which escapes it; [`Markup`] has no other way in but
//! literals of this program.

mod bill;
mod block;
mod home;
mod numbers;
mod reference;
mod transaction;
mod usage_point;

use std::fmt::{Display, Write as _};

pub use bill::bill;
pub use block::{block, blocks};
pub use home::{Home, HomeRow, home};
pub use reference::reference;
pub use transaction::transaction;
pub use usage_point::{UsagePointPage, usage_point};

use crate::response::status::Status;

/// The content type of every page.
pub const CONTENT_TYPE: &str = "text/html; charset=utf-8";
/// What a browser may load for a page: nothing but the page and its own style.
pub const POLICY: &str = "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                          base-uri 'none'; form-action 'self'";

/// HTML that may stand in a page as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markup(String);

/// A caller's or the ledger's text, escaped: safe between tags and in quoted attributes.
#[must_use]
pub fn text(value: impl Display) -> Markup {
    let value = value.to_string();
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Markup(escaped)
}

impl Markup {
    /// HTML that stands in this program's text.
    fn literal(html: &'static str) -> Self {
        Self(html.to_owned())
    }

    /// Appends.
    fn push(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }
}

/// Content in an element without attributes.
fn element(name: &'static str, content: &Markup) -> Markup {
    Markup(format!("<{name}>{}</{name}>", content.0))
}

/// Content in an element of a class.
fn classed(name: &'static str, class: &'static str, content: &Markup) -> Markup {
    Markup(format!("<{name} class=\"{class}\">{}</{name}>", content.0))
}

/// A link; the address consists of literals and of ids and numbers, escaped all the same.
fn link(address: impl Display, content: &Markup) -> Markup {
    Markup(format!("<a href=\"{}\">{}</a>", text(address).0, content.0))
}

/// A long id, shortened, with the whole of it in its title.
fn short(id: &str) -> Markup {
    let start: String = id.chars().take(12).collect();
    let shown = if start.len() < id.len() { format!("{start}…") } else { start };
    Markup(format!("<code title=\"{}\">{}</code>", text(id).0, text(shown).0))
}

/// A whole id.
fn code(id: impl Display) -> Markup {
    element("code", &text(id))
}

/// Says that the reader may not see it.
fn withheld() -> Markup {
    Markup::literal("<span class=\"quiet\">withheld</span>")
}

/// A table: heads that begin with `#` stand above numbers.
fn table(heads: &[&'static str], rows: Vec<Vec<Markup>>) -> Markup {
    if rows.is_empty() {
        return Markup::literal("<p class=\"quiet\">None.</p>");
    }
    let class = |head: &str| if head.starts_with('#') { " class=\"number\"" } else { "" };
    let mut html = "<div class=\"wide\"><table><thead><tr>".to_owned();
    for head in heads {
        let words = text(head.trim_start_matches('#')).0;
        push(&mut html, format_args!("<th{}>{words}</th>", class(head)));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        for (head, cell) in heads.iter().zip(row) {
            push(&mut html, format_args!("<td{}>{}</td>", class(head), cell.0));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    Markup(html)
}

/// Names and values, one below the other.
fn facts(facts: Vec<(&'static str, Markup)>) -> Markup {
    let mut html = "<dl>".to_owned();
    for (name, value) in facts {
        push(&mut html, format_args!("<dt>{}</dt><dd>{}</dd>", text(name).0, value.0));
    }
    html.push_str("</dl>");
    Markup(html)
}

fn push(html: &mut String, part: std::fmt::Arguments<'_>) {
    html.write_fmt(part).expect("a string takes every text");
}

/// A section with its heading.
fn section(heading: &'static str, content: &Markup) -> Markup {
    Markup(format!("<section><h2>{heading}</h2>{}</section>", content.0))
}

/// A whole page of a ledger.
fn page(status: &Status, title: &str, content: &Markup) -> String {
    let banner = if status.demo {
        "<p class=\"banner\"><strong>DEMO</strong> This ledger's keys are public; nothing on it is \
         worth anything.</p>"
    } else {
        ""
    };
    let footer = format!(
        "{} · block {} · {} · {}",
        text(&status.ledger_id).0,
        text(&status.height).0,
        text(&status.time).0,
        text(&status.zone).0
    );
    document(
        &title_of(title, &status.name),
        &format!(
            "<header><a href=\"/\"><strong>{}</strong></a> <a href=\"/blocks\">Blocks</a> \
             <a href=\"/api\">API</a></header>\
             {banner}<main><h1>{}</h1>{}</main><footer>{footer}</footer>",
            text(&status.name).0,
            text(title).0,
            content.0
        ),
    )
}

/// The page of a problem.
#[must_use]
pub fn problem(status: u16, title: &str, detail: &str, request_id: &str) -> String {
    let body = format!(
        "<header><a href=\"/\"><strong>Start</strong></a></header><main><h1>{status}: {}</h1>\
         <p>{}</p><p class=\"quiet\">Request {}</p></main>",
        text(title).0,
        text(detail).0,
        text(request_id).0
    );
    document(&format!("{status}"), &body)
}

/// The title in the browser: the page and its ledger, and the ledger alone where both are the same.
fn title_of(page: &str, ledger: &str) -> String {
    if page == ledger { ledger.to_owned() } else { format!("{page} – {ledger}") }
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body>{body}</body></html>",
        text(title).0
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#d5d5d5;--quiet:#5f6368;--mark:#ffe08a;--ink:#1b1b1b;\
--paper:#fff;--link:#1d4690}\
@media(prefers-color-scheme:dark){:root{--line:#3c4043;--quiet:#9aa0a6;--mark:#5c4a00;\
--ink:#e8eaed;--paper:#16181b;--link:#8ab4f8}}\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:1180px;padding:0 16px 32px;background:var(--paper);color:var(--ink);\
font:16px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}\
a{color:var(--link)}header,footer{padding:12px 0}header a{margin-right:16px}\
footer{color:var(--quiet);border-top:1px solid var(--line);overflow-wrap:anywhere}\
h1{font-size:24px;overflow-wrap:anywhere}h2{font-size:18px}\
.banner{background:var(--mark);padding:8px 12px;border-radius:12px}\
.quiet{color:var(--quiet)}.wide{overflow-x:auto}\
table{border-collapse:collapse;width:100%}\
th,td{padding:4px 12px 4px 0;text-align:left;border-bottom:1px solid var(--line);\
vertical-align:top}\
.number{text-align:right;white-space:nowrap}code{font-size:14px;overflow-wrap:anywhere}\
dl{display:grid;grid-template-columns:minmax(8em,max-content) 1fr;gap:4px 16px}\
dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}\
pre{overflow-x:auto;border:1px solid var(--line);border-radius:12px;padding:12px}\
@media(max-width:480px){dl{grid-template-columns:1fr}dd{margin-bottom:8px}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_becomes_html() {
        let hostile = "<script>alert('x' & \"y\")</script>";
        let escaped = text(hostile).0;
        assert_eq!(escaped, "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;");
        for html in [
            link(hostile, &text(hostile)).0,
            short(hostile).0,
            table(&["a"], vec![vec![text(hostile)]]).0,
            facts(vec![("a", text(hostile))]).0,
            problem(400, hostile, hostile, hostile),
        ] {
            assert!(!html.contains("<script"), "{html}");
            assert!(!html.contains("alert('"), "{html}");
        }
    }

    #[test]
    fn pages_load_nothing_from_elsewhere() {
        let html = problem(404, "a", "b", "c");
        for foreign in ["http:", "https:", "src=", "@import", "url(", "<script"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
    }
}
