//! Refresh tokens and keys (RFC 9449 section 5, FAPI 2.0 section 5.3.2.1).
use serde_json::{Value, json};

use super::support::holder::start;
use super::{Browser, Holder, Party, is_refused};
use crate::support::{Person, TestApp};

async fn public<'a>(root: &Person<'a>) -> Party<'a> {
    Party::register(root, json!({"first_party": true, "token_endpoint_auth_method": "none"})).await
}

async fn log_in<'a>(app: &'a TestApp, photos: &Party<'a>, holder: &Holder<'a>) -> Value {
    let code = photos.code(&mut Browser::new(app), "ann").await;
    holder.tokens(photos, photos.redeems(&code)).await
}

#[tokio::test]
async fn the_refresh_token_of_a_public_client_is_good_for_whoever_holds_the_key() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = public(&root).await;
    let (holder, thief) = (Holder::new(&app), Holder::new(&app));
    let tokens = log_in(&app, &photos, &holder).await;
    photos.fails(photos.refreshes(&tokens), 400, "invalid_grant").await;
    let stolen = thief.request(&photos, photos.refreshes(&tokens)).send().await.unwrap();
    is_refused(stolen, 400, "invalid_grant").await;
    let next = holder.tokens(&photos, photos.refreshes(&tokens)).await;
    app.json(holder.userinfo(&next), 200).await;
}

#[tokio::test]
async fn the_refresh_token_of_a_confidential_client_is_bound_to_the_client_and_to_no_key() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let (holder, next_key) = (Holder::new(&app), Holder::new(&app));
    let tokens = log_in(&app, &photos, &holder).await;
    assert!(photos.introspect(&tokens["refresh_token"]).await.get("cnf").is_none());
    let next = next_key.tokens(&photos, photos.refreshes(&tokens)).await;
    app.json(next_key.userinfo(&next), 200).await;
    photos.tokens(photos.refreshes(&next)).await;
}

#[tokio::test]
async fn a_refresh_token_that_a_copy_of_is_worth_nothing_stays_good() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    for photos in [public(&root).await, Party::ours(&root).await] {
        let holder = Holder::new(&app);
        let first = log_in(&app, &photos, &holder).await;
        let mut before = first.clone();
        // Far longer than a rotated one would be known, and its client may have heard none of the answers.
        for seconds in [0, 1, 31, 3600, 86_400] {
            app.clock.advance_secs(seconds);
            let next = holder.tokens(&photos, photos.refreshes(&first)).await;
            assert_eq!(next["refresh_token"], first["refresh_token"], "{seconds}");
            assert_ne!(next["access_token"], before["access_token"]);
            app.json(holder.userinfo(&next), 200).await;
            before = next;
        }
        // It is prolonged as any other is, and ends with the grant.
        app.clock.advance_secs(29 * 86_400);
        let next = holder.tokens(&photos, photos.refreshes(&first)).await;
        app.clock.advance_secs(29 * 86_400);
        let last = holder.tokens(&photos, photos.refreshes(&next)).await;
        let given_back = super::Fields(Vec::new()).with("token", first["refresh_token"].as_str().unwrap());
        assert_eq!(photos.request("/oauth2/revoke", given_back).send().await.unwrap().status(), 200);
        is_refused(holder.userinfo(&last).send().await.unwrap(), 401, "invalid_token").await;
        let again = holder.request(&photos, photos.refreshes(&first)).send().await.unwrap();
        is_refused(again, 400, "invalid_grant").await;
    }
}

#[tokio::test]
async fn sixteen_refreshes_with_proofs_at_once_are_all_good() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = public(&root).await;
    let holder = Holder::new(&app);
    let first = log_in(&app, &photos, &holder).await;
    let answers = (0..16).map(|_| holder.tokens(&photos, photos.refreshes(&first)));
    for answer in futures_util::future::join_all(answers).await {
        assert_eq!(answer["refresh_token"], first["refresh_token"]);
        app.json(holder.userinfo(&answer), 200).await;
    }
}

#[tokio::test]
async fn a_public_client_that_begins_to_prove_a_key_is_bound_to_it_from_then_on() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = public(&root).await;
    let (holder, other) = (Holder::new(&app), Holder::new(&app));
    let bearer = photos.log_in(&mut Browser::new(&app), "ann").await;
    let bound = holder.tokens(&photos, photos.refreshes(&bearer)).await;
    assert_ne!(bound["refresh_token"], bearer["refresh_token"], "the one before rotates as ever");
    photos.fails(photos.refreshes(&bound), 400, "invalid_grant").await;
    // The answer comes again for a moment, and for the same key alone.
    for thief in [
        other.request(&photos, photos.refreshes(&bearer)),
        photos.request("/oauth2/token", photos.refreshes(&bearer)),
    ] {
        is_refused(thief.send().await.unwrap(), 400, "invalid_grant").await;
    }
    assert_eq!(holder.tokens(&photos, photos.refreshes(&bearer)).await, bound);
    app.json(holder.userinfo(&bound), 200).await;
    // Later whoever has it shows that there is a copy.
    app.clock.advance_secs(31);
    let late = holder.request(&photos, photos.refreshes(&bearer)).send().await.unwrap();
    is_refused(late, 400, "invalid_grant").await;
    is_refused(holder.userinfo(&bound).send().await.unwrap(), 401, "invalid_token").await;
}

#[tokio::test]
async fn what_a_lost_answer_gave_comes_again_for_the_same_key_alone() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let holder = Holder::new(&app);
    let first = photos.log_in(&mut Browser::new(&app), "ann").await;
    // Without a proof it rotates.
    let second = photos.tokens(photos.refreshes(&first)).await;
    let other = holder.request(&photos, photos.refreshes(&first)).send().await.unwrap();
    is_refused(other, 400, "invalid_grant").await;
    assert_eq!(photos.tokens(photos.refreshes(&first)).await, second);
}

#[tokio::test]
async fn a_key_of_the_thief_does_not_hide_that_a_token_was_stolen() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = public(&root).await;
    let thief = Holder::new(&app);
    let stolen = photos.log_in(&mut Browser::new(&app), "ann").await;
    let bound = thief.tokens(&photos, photos.refreshes(&stolen)).await;
    app.clock.advance_secs(31);
    // Its owner has no key to show.
    photos.fails(photos.refreshes(&stolen), 400, "invalid_grant").await;
    let again = thief.request(&photos, photos.refreshes(&bound)).send().await.unwrap();
    is_refused(again, 400, "invalid_grant").await;
}
