//! Keys that get another text, and keys whose time is over.
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Key, asks, make, me, of, patch, reader, status};
use crate::support::{PASSWORD, Person, TestApp};

fn rotate(who: &Person, key: &Key, body: &Value) -> RequestBuilder {
    of(who, Method::POST, &key.id, "/rotate").json(body)
}

async fn rotated(who: &Person<'_>, key: &Key, overlap: i64) -> Key {
    Key::of(&who.app.json(rotate(who, key, &json!({"overlap_seconds": overlap})), 200).await)
}

#[tokio::test]
async fn a_text_that_was_rotated_away_is_good_until_exactly_its_end() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let first = make(&ann, &reader("one")).await;
    assert_eq!(status(&app, &first.text).await, 200);
    let second = rotated(&ann, &first, 60).await;
    assert!(second.id == first.id && second.text != first.text);
    let shown = app.json(of(&ann, Method::GET, &first.id, ""), 200).await;
    assert_eq!(
        (&shown["rotated_at"], &shown["previous_until"]),
        (&json!("2027-01-15T08:00:00Z"), &json!("2027-01-15T08:01:00Z"))
    );
    for (wait, old) in [(0, 200), (59, 200), (1, 401), (1, 401), (100, 401)] {
        app.clock.advance_secs(wait);
        assert_eq!((status(&app, &first.text).await, status(&app, &second.text).await), (old, 200), "{wait}");
    }
    app.fails(me(&app, &first.text), 401, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn without_an_overlap_the_old_text_ends_at_once() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut key = make(&ann, &reader("one")).await;
    for body in [json!({}), json!({"overlap_seconds": 0}), json!({"overlap_seconds": null})] {
        assert_eq!(status(&app, &key.text).await, 200);
        let next = Key::of(&app.json(rotate(&ann, &key, &body), 200).await);
        app.fails(me(&app, &key.text), 401, "INVALID_TOKEN").await;
        assert_eq!(status(&app, &next.text).await, 200);
        key = next;
    }
}

#[tokio::test]
async fn no_more_than_two_texts_are_good() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let first = make(&ann, &reader("one")).await;
    let second = rotated(&ann, &first, 3600).await;
    let third = rotated(&ann, &second, 60).await;
    let all = [&first, &second, &third];
    for expected in [[401, 200, 200], [401, 401, 200]] {
        for (key, expected) in all.iter().zip(expected) {
            assert_eq!(status(&app, &key.text).await, expected);
        }
        app.clock.advance_secs(60);
    }
    // And an emergency ends the one before, whatever was promised to it.
    let fourth = rotated(&ann, &third, 3600).await;
    let fifth = rotated(&ann, &fourth, 0).await;
    for (key, expected) in [(&third, 401), (&fourth, 401), (&fifth, 200)] {
        assert_eq!(status(&app, &key.text).await, expected);
    }
}

#[tokio::test]
async fn an_overlap_gives_no_more_life_than_the_key_has() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let body =
        json!({"name": "short", "permissions": ["account:read"], "expires_at": "2027-01-15T08:00:30Z"});
    let first = make(&ann, &body).await;
    let second = rotated(&ann, &first, 3600).await;
    app.clock.advance_secs(29);
    assert_eq!((status(&app, &first.text).await, status(&app, &second.text).await), (200, 200));
    app.clock.advance_secs(1);
    for key in [&first, &second] {
        app.fails(me(&app, &key.text), 401, "TOKEN_EXPIRED").await;
    }
    app.refuses(rotate(&ann, &first, &json!({})), "id").await;
    let other = make(&ann, &reader("other")).await;
    let next = rotated(&ann, &other, 3600).await;
    app.json(of(&ann, Method::POST, &other.id, "/revoke"), 200).await;
    app.fails(me(&app, &other.text), 401, "INVALID_TOKEN").await;
    app.fails(me(&app, &next.text), 401, "TOKEN_REVOKED").await;
    app.refuses(rotate(&ann, &other, &json!({})), "id").await;
}

#[tokio::test]
async fn overlaps_that_are_none_are_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await;
    for bad in [
        json!(-1),
        json!(30 * 24 * 3600 + 1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!("60"),
        json!(1.5),
        json!(1e30),
        json!([]),
    ] {
        app.refuses(rotate(&ann, &key, &json!({"overlap_seconds": bad})), "overlap_seconds").await;
    }
    assert_eq!(status(&app, &key.text).await, 200);
    rotated(&ann, &key, 30 * 24 * 3600).await;
    app.clock.advance_secs(30 * 24 * 3600 - 1);
    assert_eq!(status(&app, &key.text).await, 200);
    app.clock.advance_secs(1);
    assert_eq!(status(&app, &key.text).await, 401);
}

#[tokio::test]
async fn a_key_ends_at_its_time_and_may_be_given_more() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let body =
        json!({"name": "short", "permissions": ["account:read"], "expires_at": "2027-01-15T09:01:00+01:00"});
    let key = make(&ann, &body).await;
    app.clock.advance_secs(59);
    assert_eq!(status(&app, &key.text).await, 200);
    app.clock.advance_secs(1);
    app.fails(me(&app, &key.text), 401, "TOKEN_EXPIRED").await;
    let later = json!({"expires_at": "2027-01-15T08:02:00Z"});
    app.json(patch(&ann, &key.id, &later), 200).await;
    assert_eq!(status(&app, &key.text).await, 200);
    app.clock.advance_secs(3600 * 24);
    let ann = app.log_in("ann", PASSWORD).await;
    app.fails(me(&app, &key.text), 401, "TOKEN_EXPIRED").await;
    app.json(patch(&ann, &key.id, &json!({"expires_at": null})), 200).await;
    assert_eq!(status(&app, &key.text).await, 200);
}

#[tokio::test]
async fn an_end_is_a_time_to_come_that_can_be_shown_again() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let with_end = |end: &Value| json!({"name": "x", "expires_at": end});
    for bad in [
        json!("2027-01-15T08:00:00Z"),
        json!("2026-12-31T23:59:59Z"),
        json!("1969-01-01T00:00:00Z"),
        json!("0000-01-01T00:00:00Z"),
        json!("-0001-01-01T00:00:00Z"),
        json!("10000-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59-23:59"),
        json!("2027-02-30T00:00:00Z"),
        json!("2028-01-01"),
        json!("tomorrow"),
        json!(""),
        json!(1_900_000_000),
    ] {
        app.refuses(asks(&ann, &with_end(&bad)), "expires_at").await;
    }
    for (end, shown) in [
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59.999999999+23:59", "9999-12-31T00:00:59Z"),
        ("2028-01-01T00:00:00.5+00:00", "2028-01-01T00:00:00Z"),
    ] {
        let made = app.json(asks(&ann, &with_end(&json!(end))), 201).await;
        assert_eq!(made["api_key"]["expires_at"], shown, "{end}");
        assert_eq!(Key::of(&made).text.len(), 111);
    }
}
