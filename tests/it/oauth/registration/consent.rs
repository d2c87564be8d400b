//! Users of a client that has registered itself are always asked, and told whose word it is.
use serde_json::json;

use super::{Browser, Party, album, open, party, registered};

#[tokio::test]
async fn its_users_are_asked_each_time_and_warned_that_its_name_is_its_own_word() {
    let app = open().start().await;
    app.register("ann").await;
    let photos = party(&app, &registered(&app, &album()).await);
    let mut browser = Browser::new(&app);
    for _ in 0..2 {
        let mut page = browser.open(&photos.asks().path()).await;
        if page.has_form("sign-in") {
            page = browser.sign_in(&page, "ann").await;
        }
        assert!(page.has_form("consent"), "{page:?}");
        assert!(page.text.contains("id=\"own-word\"") && page.text.contains("photos.example"), "{page:?}");
        assert!(photos.checked(&browser.agree(&page).await).contains_key("code"));
    }
    let silent = photos.asks().with("prompt", "none");
    let page = browser.open(&silent.path()).await;
    assert_eq!(photos.checked(&page)["error"], "consent_required");
}

#[tokio::test]
async fn what_an_administrator_has_registered_is_not_warned_of() {
    let app = open().start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&photos.asks().path()).await;
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.has_form("consent") && !page.text.contains("own-word"), "{page:?}");
}
