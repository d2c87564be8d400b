//! A relying party that others have written, as an application in Rust would use it: by the issuer's URL alone.
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreIdToken, CoreIdTokenVerifier,
    CoreJwsSigningAlgorithm, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndSessionUrl,
    HttpRequest, HttpResponse, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, RequestTokenError, Scope, TokenResponse,
};
use serde_json::json;

use super::{Browser, CALLBACK, Party, issuer};
use crate::support::TestApp;

const BYE: &str = "https://photos.example/bye";

/// What the library asks, asked without following anybody anywhere.
async fn ask(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let (head, body) = request.into_parts();
    let answer =
        client.request(head.method, head.uri.to_string()).headers(head.headers).body(body).send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = HttpResponse::new(answer.bytes().await?.to_vec());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

#[tokio::test]
async fn the_crate_openidconnect_logs_a_user_in_refreshes_asks_who_it_is_and_logs_it_out() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    for algorithm in [CoreJwsSigningAlgorithm::EcdsaP256Sha256, CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256]
    {
        let also = json!({"post_logout_redirect_uris": [BYE], "id_token_signed_response_alg": algorithm});
        let party = Party::register(&root, also).await;
        log_in_and_out(&app, &party).await;
    }
}

async fn log_in_and_out(app: &TestApp, party: &Party<'_>) {
    let issuer = IssuerUrl::new(issuer(app)).unwrap();
    let about = ProviderMetadataWithLogout::discover_async(issuer, &ask).await.unwrap();
    let end_session = about.additional_metadata().end_session_endpoint.clone().unwrap();
    let (id, secret) = (ClientId::new(party.id.clone()), party.secret.clone().map(ClientSecret::new));
    let client = CoreClient::from_provider_metadata(about, id, secret)
        .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned()).unwrap());

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("email".to_owned()))
        .add_scope(Scope::new("profile".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let mut browser = Browser::new(app);
    let answer = browser.through(&url[url::Position::BeforePath..], "ann").await.answer(CALLBACK);
    assert_eq!(&answer["state"], state.secret());

    let code = AuthorizationCode::new(answer["code"].clone());
    let redeemed = client.exchange_code(code).unwrap().set_pkce_verifier(verifier);
    let tokens = redeemed.request_async(&ask).await.unwrap();
    let id_token = tokens.id_token().unwrap();
    let checks = client.id_token_verifier();
    let claims = id_token.claims(&checks, &nonce).unwrap();
    assert_eq!(claims.access_token_hash(), Some(&hash(&checks, id_token, tokens.access_token())));

    let refresh = tokens.refresh_token().unwrap();
    let renewed = client.exchange_refresh_token(refresh).unwrap().request_async(&ask).await.unwrap();
    assert_ne!(renewed.access_token().secret(), tokens.access_token().secret());
    let again = renewed.id_token().unwrap().claims(&checks, |_: Option<&Nonce>| Ok(())).unwrap();

    let subject = Some(again.subject().clone());
    let asked = client.user_info(renewed.access_token().clone(), subject).unwrap();
    let user: CoreUserInfoClaims = asked.request_async(&ask).await.unwrap();
    let known =
        (user.preferred_username().map(|name| name.as_str()), user.email().map(|email| email.as_str()));
    assert_eq!(known, (Some("ann"), Some("ann@example.com")));

    let bye = log_out(&mut browser, end_session, id_token).await;
    assert_eq!(bye.as_deref(), Some("https://photos.example/bye?state=over"));
    let refresh = renewed.refresh_token().unwrap();
    let refused = client.exchange_refresh_token(refresh).unwrap().request_async(&ask).await;
    let Err(RequestTokenError::ServerResponse(said)) = refused else { panic!("{refused:?}") };
    assert_eq!(said.error(), &CoreErrorResponseType::InvalidGrant);
}

/// Of an access token, in the algorithm of the ID token that came with it.
fn hash(checks: &CoreIdTokenVerifier<'_>, id_token: &CoreIdToken, access: &AccessToken) -> AccessTokenHash {
    let (algorithm, key) = (id_token.signing_alg().unwrap(), id_token.signing_key(checks).unwrap());
    AccessTokenHash::from_token(access, algorithm, key).unwrap()
}

/// Where the browser is led to in the end.
async fn log_out(browser: &mut Browser<'_>, at: EndSessionUrl, id_token: &CoreIdToken) -> Option<String> {
    let url = LogoutRequest::from(at)
        .set_id_token_hint(id_token)
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(BYE.to_owned()).unwrap())
        .set_state(CsrfToken::new("over".to_owned()))
        .http_get_url();
    browser.open(&url[url::Position::BeforePath..]).await.location()
}
