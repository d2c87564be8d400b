//! The API: its operations, its document, and what stands before them.
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use poem::endpoint::make_sync;
use poem::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use poem::{Endpoint, EndpointExt, Response, Route, get};
use poem_openapi::OpenApiService;

use super::App;
use crate::account::http::AccountApi;
use crate::api_key::http::ApiKeysApi;
use crate::api_key::verify::VerifyApi;
use crate::audit::http::AuditApi;
use crate::base::Result;
use crate::check::http::CheckApi;
use crate::config::{MailSink, Registration, Switch};
use crate::contact::http::ContactApi;
use crate::email_login::http::EmailLoginApi;
use crate::email_verification::http::EmailApi;
use crate::forward::rule::http::RulesApi as ForwardRulesApi;
use crate::forward::sign_in::{self, ForwardPages};
use crate::health::http::HealthApi;
use crate::http::allow::AllowTable;
use crate::http::{Cookies, Failure, Gate, Routes, docs, routes, spec};
use crate::keys::http::KeysApi;
use crate::login::http::LoginApi;
use crate::mail::http::MailApi;
use crate::mfa::http::MfaApi;
use crate::oauth::authorize;
use crate::oauth::authorize::http::{BrowserApi, SignInOffers};
use crate::oauth::backchannel::http::DeliveriesApi;
use crate::oauth::client::http::ClientsApi;
use crate::oauth::client_document::ClientDocuments;
use crate::oauth::consent::Consents;
use crate::oauth::consent::http::ConsentsApi;
use crate::oauth::device;
use crate::oauth::device::http::DeviceApi;
use crate::oauth::device::page::DevicePages;
use crate::oauth::discovery::http::{DiscoveryApi, Offers};
use crate::oauth::initial_token::http::InitialTokensApi;
use crate::oauth::introspection::http::IntrospectionApi;
use crate::oauth::pushed::http::PushApi;
use crate::oauth::registration::Mode;
use crate::oauth::registration::http::RegistrationApi;
use crate::oauth::revocation::Revocations;
use crate::oauth::revocation::http::RevocationApi;
use crate::oauth::token::TokenEndpoint;
use crate::oauth::token::http::TokenApi;
use crate::oauth::userinfo::http::UserinfoApi;
use crate::pages::http::AccountPages;
use crate::passkey::http::PasskeyApi;
use crate::password_reset::http::PasswordResetApi;
use crate::rbac::http::RolesApi;
use crate::recovery::http::RecoveryApi;
use crate::service_account::http::ServiceAccountsApi;
use crate::session::http::SessionApi;
use crate::transfer::http::TransferApi;
use crate::users::access::UserAccessApi;
use crate::users::http::UsersApi;
use crate::{
    account, api_key, audit, check, contact, email_login, email_verification, forward, health, login, mail,
    mfa, oauth, pages, passkey, password_reset, rbac, recovery, service_account, session, transfer, users,
};

type Apis = (
    HealthApi,
    (AccountApi, ContactApi),
    (LoginApi, SessionApi, MfaApi, PasskeyApi, RecoveryApi),
    (ApiKeysApi, VerifyApi),
    (UsersApi, UserAccessApi, PasswordResetApi, TransferApi),
    ServiceAccountsApi,
    RolesApi,
    (CheckApi, ForwardRulesApi),
    AuditApi,
    (KeysApi, MailApi, EmailApi, EmailLoginApi),
    OauthApis,
);
type OauthApis = (
    (ClientsApi, DeliveriesApi, InitialTokensApi, RegistrationApi),
    ConsentsApi,
    DiscoveryApi,
    TokenApi,
    UserinfoApi,
    IntrospectionApi,
    RevocationApi,
    (DeviceApi, PushApi),
);

impl App {
    /// Everything that listens behind the gate. `extra`: a test's own routes; the server passes them unchanged.
    #[must_use]
    pub fn endpoint(&self, extra: fn(Route) -> Route) -> impl Endpoint<Output = Response> + use<> {
        let mut operations = routes::operations(self.apis());
        let browser = Arc::new(self.browser_api());
        operations.extend(authorize::http::operations(&browser));
        operations.extend(pages::http::operations(&Arc::new(self.account_pages(Arc::clone(&browser)))));
        let devices = self.device_requests.as_ref().clone();
        let forward = Arc::clone(&self.forward);
        let forward_pages = ForwardPages { browser: Arc::clone(&browser), forward: Arc::clone(&forward) };
        operations.extend(sign_in::operations(&Arc::new(forward_pages)));
        operations.extend(device::page::operations(&Arc::new(DevicePages { browser, devices })));
        let forward = make_sync(move |request| forward.answer(&request)).map_to_response().boxed();
        let allow = AllowTable::new(&operations);
        let (documented, document) = (self.clone(), OnceLock::new());
        let spec = make_sync(move |_| documented.spec_text(&document));
        let viewer = self.clone();
        let docs = docs::routes(move || viewer.api().rapidoc_html());
        let beside = extra(Route::new().at("/openapi.json", get(spec)).nest("/docs", docs));
        let routes = Routes::new(operations, (beside, forward));
        let limiter = Arc::clone(&self.limiter);
        let authenticator = Arc::new(self.clone());
        let gate = Gate::new(routes, &self.config, &self.env, authenticator, limiter, allow);
        gate.with_pages(self.pages.clone())
    }

    /// The OpenAPI document as text. It is larger than all else in memory and takes a while to make, so that it is made when
    /// somebody asks for it, and once.
    fn spec_text(&self, document: &OnceLock<Result<Bytes>>) -> poem::Result<Response> {
        let made = || self.spec().map(|document| Bytes::from(document.to_string()));
        let document = document.get_or_init(made).clone().map_err(Failure)?;
        Ok(Response::builder()
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header(CACHE_CONTROL, "no-cache")
            .body(document))
    }

    /// The OpenAPI document.
    ///
    /// # Errors
    /// `Error::Internal` if an operation names an error that is not known.
    pub fn spec(&self) -> Result<serde_json::Value> {
        let facts = spec::Facts {
            errors: &[
                account::http::ERRORS,
                login::http::ERRORS,
                session::http::ERRORS,
                mfa::http::ERRORS,
                passkey::http::ERRORS,
                recovery::http::ERRORS,
                mail::http::ERRORS,
                email_verification::http::ERRORS,
                email_login::http::ERRORS,
                health::http::ERRORS,
                rbac::http::ERRORS,
                check::http::ERRORS,
                forward::rule::http::ERRORS,
                users::http::ERRORS,
                users::access::ERRORS,
                password_reset::http::ERRORS,
                api_key::http::ERRORS,
                service_account::http::ERRORS,
                oauth::client::http::ERRORS,
                oauth::backchannel::http::ERRORS,
                oauth::initial_token::http::ERRORS,
                oauth::consent::http::ERRORS,
                contact::http::ERRORS,
            ],
            permissions: &[
                account::http::PERMISSIONS,
                contact::http::PERMISSIONS,
                session::http::PERMISSIONS,
                mfa::http::PERMISSIONS,
                passkey::http::PERMISSIONS,
                rbac::http::PERMISSIONS,
                users::http::PERMISSIONS,
                users::access::PERMISSIONS,
                password_reset::http::PERMISSIONS,
                transfer::http::PERMISSIONS,
                api_key::http::PERMISSIONS,
                api_key::verify::PERMISSIONS,
                service_account::http::PERMISSIONS,
                oauth::client::http::PERMISSIONS,
                oauth::backchannel::http::PERMISSIONS,
                oauth::initial_token::http::PERMISSIONS,
                oauth::consent::http::PERMISSIONS,
                forward::rule::http::PERMISSIONS,
                audit::http::PERMISSIONS,
                mail::http::PERMISSIONS,
                email_verification::http::PERMISSIONS,
            ],
            for_anyone: health::http::FOR_ANYONE,
        };
        spec::complete(&self.api().spec(), &facts)
    }

    fn api(&self) -> OpenApiService<Apis, ()> {
        let base = self.config.public_url().path().to_owned() + "/";
        OpenApiService::new(self.apis(), "Auth Service", env!("CARGO_PKG_VERSION"))
            .description("Accounts, sessions and tokens.")
            .server(base)
    }

    /// What people see on their way to a client.
    fn browser_api(&self) -> BrowserApi {
        let (config, forward) = (&self.config, Arc::clone(&self.forward));
        BrowserApi {
            authorization: self.authorization.as_ref().clone(),
            logins: self.logins.clone(),
            passkeys: self.passkeys.clone(),
            email_logins: Arc::clone(&self.email_logins),
            sessions: self.sessions.clone(),
            cookies: Arc::new(Cookies::new(&config.public_url())),
            documents: self.client_documents(),
            fetching: Arc::clone(&self.fetching),
            pages: Arc::clone(&self.pages),
            offers: SignInOffers {
                registration: config.registration != Registration::Closed,
                forgotten: config.mail.sink != MailSink::None,
            },
            returns: Arc::new(move |text| forward.returns(text)),
        }
    }

    /// What people see of accounts.
    fn account_pages(&self, browser: Arc<BrowserApi>) -> AccountPages {
        AccountPages {
            browser,
            accounts: self.accounts.clone(),
            registrations: Arc::clone(&self.registrations),
            registration: self.config.registration,
            resets: self.resets.clone(),
            addresses: Arc::clone(&self.addresses),
            recoveries: self.recoveries.clone(),
        }
    }

    fn client_documents(&self) -> ClientDocuments {
        let said = &self.config.client_documents;
        let hosts = (said.state == Switch::On).then(|| said.allowed_hosts.0.clone());
        ClientDocuments::new(self.client_registrations.as_ref().clone(), hosts)
    }

    /// What the server does as its settings say.
    fn offers(&self) -> Offers {
        Offers {
            registration: self.client_registrations.policy.mode != Mode::Off,
            client_documents: self.config.client_documents.state == Switch::On,
            all_push: self.config.oauth.require_pushed_requests,
            languages: self.pages.languages.tags(),
        }
    }

    /// How clients come to be known here.
    fn client_apis(&self) -> (ClientsApi, DeliveriesApi, InitialTokensApi, RegistrationApi) {
        let registration = RegistrationApi {
            registrations: self.client_registrations.as_ref().clone(),
            limiter: Arc::clone(&self.limiter),
            registering: Arc::clone(&self.registering),
            base: format!("{}/oauth2/register", self.oauth.minter.issuer().trim_end_matches('/')),
        };
        let clients = ClientsApi(self.oauth_clients.as_ref().clone());
        let deliveries = DeliveriesApi(self.backchannel.as_ref().clone());
        (clients, deliveries, InitialTokensApi(self.initial_tokens()), registration)
    }

    fn oauth_apis(&self) -> OauthApis {
        let TokenEndpoint { store, env, clients, grants, minter, dpop, .. } = self.oauth.as_ref().clone();
        let limiter = Arc::clone(&self.limiter);
        (
            self.client_apis(),
            ConsentsApi(Consents { store: store.clone(), env: env.clone(), grants: grants.clone() }),
            DiscoveryApi::new(minter.issuer(), minter.custom.all(), &self.offers()),
            TokenApi { endpoint: self.oauth.as_ref().clone(), limiter: limiter.clone() },
            UserinfoApi {
                env: env.clone(),
                grants: grants.clone(),
                minter: minter.clone(),
                dpop,
                limiter: limiter.clone(),
            },
            IntrospectionApi {
                env: env.clone(),
                clients: clients.clone(),
                grants: grants.clone(),
                minter: minter.clone(),
                limiter: limiter.clone(),
            },
            RevocationApi {
                revocations: Revocations { store, env, clients, grants, minter },
                limiter: limiter.clone(),
            },
            (self.device_api(), PushApi { authorization: self.authorization.as_ref().clone(), limiter }),
        )
    }

    fn device_api(&self) -> DeviceApi {
        DeviceApi {
            devices: self.device_requests.as_ref().clone(),
            limiter: Arc::clone(&self.limiter),
            issuer: self.config.issuer().issuer,
            interval: self.oauth.pace.interval(),
        }
    }

    fn apis(&self) -> Apis {
        let cookies = Arc::new(Cookies::new(&self.config.public_url()));
        let registration = self.config.registration;
        let parts = health::report::Parts {
            keys: self.keys.clone(),
            live: self.live.clone(),
            mail: self.mail.clone(),
            passwords: self.passwords.clone(),
            data_dir: self.config.data_dir.clone(),
        };
        let access = UserAccessApi {
            users: self.users.clone(),
            sessions: self.sessions.clone(),
            keys: self.api_keys.clone(),
        };
        let verify = VerifyApi {
            keys: self.api_keys.clone(),
            roles: self.roles.clone(),
            limiter: Arc::clone(&self.limiter),
        };
        (
            HealthApi { health: self.health.clone(), parts },
            (
                AccountApi {
                    accounts: self.accounts.clone(),
                    registrations: self.registrations.clone(),
                    registration,
                    cookies: Arc::clone(&cookies),
                },
                ContactApi(self.contacts.as_ref().clone()),
            ),
            (
                LoginApi { logins: self.logins.clone(), cookies: Arc::clone(&cookies) },
                SessionApi { sessions: self.sessions.clone(), cookies: Arc::clone(&cookies) },
                MfaApi { mfa: self.mfa.clone(), cookies: Arc::clone(&cookies) },
                PasskeyApi {
                    passkeys: self.passkeys.clone(),
                    users: self.users.clone(),
                    cookies: Arc::clone(&cookies),
                },
                RecoveryApi { recoveries: self.recoveries.clone(), cookies: Arc::clone(&cookies) },
            ),
            (ApiKeysApi(self.api_keys.clone()), verify),
            (
                UsersApi { users: self.users.clone(), accounts: self.accounts.clone() },
                access,
                PasswordResetApi(self.resets.clone()),
                TransferApi(self.transfer.clone()),
            ),
            ServiceAccountsApi { accounts: self.service_accounts.clone(), keys: self.api_keys.clone() },
            RolesApi(self.roles.clone()),
            (CheckApi(self.roles.clone()), ForwardRulesApi(self.forward_rules.clone())),
            AuditApi(self.audit.clone()),
            (
                KeysApi(self.keys.clone()),
                MailApi(self.mail.clone()),
                EmailApi(self.addresses.clone(), self.registrations.clone()),
                EmailLoginApi { logins: self.email_logins.clone(), cookies },
            ),
            self.oauth_apis(),
        )
    }
}
