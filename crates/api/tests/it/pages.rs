//! The readable pages.

use crate::kit::{LABEL, Network, OPEN_DEMO, PRIVATE};

fn addresses(network: &Network) -> Vec<String> {
    vec![
        "/".to_owned(),
        format!("/?day={}", network.day),
        format!("/usage-points/{}", network.usage_point),
        format!("/usage-points/{}?day={}", network.usage_point, network.day),
        format!("/bills/{}", network.bill),
        "/blocks".to_owned(),
        "/blocks/0".to_owned(),
        format!("/blocks/{}", network.node.ledger.view().height()),
        format!("/transactions/{}", network.seal),
        format!("/transactions/{}", network.customer.id),
    ]
}

#[tokio::test]
async fn pages_are_whole_and_load_nothing() {
    for setup in [OPEN_DEMO, PRIVATE] {
        let network = Network::new(setup);
        for path in addresses(&network) {
            let seen = network.get(&path).await;
            let html = seen.text();
            assert_eq!(seen.status, 200, "{path}: {html}");
            assert_eq!(seen.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
            let policy = seen.header("content-security-policy").unwrap_or_default();
            assert!(policy.contains("default-src 'self'"), "{policy}");
            assert!(policy.contains("style-src 'unsafe-inline'"), "{policy}");
            assert_eq!(seen.height(), network.node.ledger.view().height(), "{path}");
            for foreign in ["<script", "src=", "http://", "https://"] {
                assert!(!html.contains(foreign), "{foreign} in {path}: {html}");
            }
            assert!(html.contains("Test &amp; network"), "{path}");
            assert_eq!(html.contains("DEMO"), setup.demo, "{path}");
            for tag in ["table", "div", "section", "dl", "p", "main", "a", "tr", "td"] {
                let open = html.matches(&format!("<{tag}>")).count()
                    + html.matches(&format!("<{tag} ")).count();
                assert_eq!(open, html.matches(&format!("</{tag}>")).count(), "<{tag}> in {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_label_never_becomes_html() {
    let network = Network::new(OPEN_DEMO);
    for path in ["/".to_owned(), format!("/usage-points/{}", network.usage_point)] {
        let html = network.get(&path).await.text();
        assert!(!html.contains(LABEL), "{path}");
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"), "{path}: {html}");
    }
}

#[tokio::test]
async fn the_first_page_shows_energy_and_money_with_their_units() {
    let network = Network::new(OPEN_DEMO);
    let html = network.get("/").await.text();
    for wanted in ["24.000 kWh", "120.00 INR", "2016-06-02", "open"] {
        assert!(html.contains(wanted), "{wanted}: {html}");
    }
    let html = network.get(&format!("/bills/{}", network.bill)).await.text();
    for wanted in ["24.000 kWh", "120.00 INR", "/proof", &network.usage_point.to_string()] {
        assert!(html.contains(wanted), "{wanted}: {html}");
    }
    let path = format!("/usage-points/{}?day={}", network.usage_point, network.day);
    let html = network.get(&path).await.text();
    for wanted in ["00:00:00+05:30", "0.250 kWh", "50.000 Hz", "5.00 INR/kWh", "1.25 INR"] {
        assert!(html.contains(wanted), "{wanted}: {html}");
    }
}

#[tokio::test]
async fn a_stranger_sees_no_values_on_the_pages_either() {
    let network = Network::new(PRIVATE);
    for path in addresses(&network) {
        let html = network.get(&path).await.text();
        for value in ["24.000", "120.00", "0.250", "script&gt;", "10000 W", "import_wh"] {
            assert!(!html.contains(value), "{value} in {path}: {html}");
        }
    }
}

#[tokio::test]
async fn links_between_pages_lead_somewhere() {
    let network = Network::new(OPEN_DEMO);
    let mut open = vec!["/".to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = open.pop() {
        // Days run on in both directions without end.
        if seen.len() > 150 || !seen.insert(path.clone()) {
            continue;
        }
        let answer = network.get(&path.replace("&amp;", "&")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let html = answer.text();
        let links = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        open.extend(
            links
                .filter(|link| !link.contains("?day=") && !link.starts_with('#'))
                .map(str::to_owned),
        );
    }
    for kind in ["/usage-points/", "/bills/", "/blocks/", "/transactions/", "/v1/tariffs/"] {
        assert!(seen.iter().any(|path| path.starts_with(kind)), "{kind}");
    }
}

#[tokio::test]
async fn problems_on_pages_are_pages() {
    let network = Network::new(OPEN_DEMO);
    for (path, status) in [
        ("/nothing", 404),
        ("/bills/zz", 400),
        ("/blocks/99999", 404),
        ("/?day=%3Cscript%3E", 400),
        ("/?%3Cscript%3E=1", 400),
    ] {
        let seen = network.get(path).await;
        assert_eq!(seen.status.as_u16(), status, "{path}");
        assert_eq!(seen.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(!seen.text().contains("<script"), "{path}: {}", seen.text());
    }
}

#[tokio::test]
async fn a_title_names_the_page_and_the_ledger_once() {
    let network = Network::new(OPEN_DEMO);
    let title = async |path: &str| {
        let text = network.get(path).await.text();
        let begin = text.find("<title>").expect("a title") + 7;
        let end = text.find("</title>").expect("its end");
        text[begin..end].to_owned()
    };
    assert_eq!(title("/").await, "Test &amp; network");
    assert_eq!(title("/blocks").await, "Blocks – Test &amp; network");
}
