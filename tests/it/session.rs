//! Login, refresh, logout.
use crate::support::TestApp;

#[tokio::test]
async fn the_same_refresh_token_32_times_at_once_gives_one_answer() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let all = futures_util::future::join_all((0..32).map(|_| user.refreshed())).await;
    assert!(all.iter().all(|person| person.tokens == all[0].tokens));
    assert_ne!(all[0].tokens.refresh, user.tokens.refresh);
    assert_eq!(all[0].status().await, 200);
}
