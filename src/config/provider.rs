//! The settings of the OAuth 2.0 and OpenID Connect provider, and of requests to others that it leads to.
use super::Setting;
use super::declared::{Clients, Scopes};
use super::section::section;
use super::source::Values;
use super::value::{self, Hosts, IpNets, OptionalPath, Switch, Uris};
use crate::base::Result;

section! {
    /// The OAuth 2.0 and OpenID Connect provider.
    Oauth in "oauth." {
        /// Seconds that an access token of a client is good.
        access_lifetime_secs: i64 = "900", "a whole number from 1";
        /// Seconds that an ID token is good.
        id_token_lifetime_secs: i64 = "3600", "a whole number from 1";
        /// Seconds that a refresh token of a client is good; every refresh begins them anew.
        refresh_lifetime_secs: i64 = "2592000", "a whole number from 1";
        /// Seconds after which a client has to ask the user again, however often it refreshes.
        grant_lifetime_secs: i64 = "31536000", "a whole number from 1";
        /// Seconds that a proof of possession (DPoP, RFC 9449) may be old; for so long it is remembered, and good once. It may be
        /// 10 seconds from the future.
        dpop_window_secs: i64 = "60", "a whole number from 10";
        /// Whether every proof has to have a nonce that this server has given. One costs clients another request now and then,
        /// and keeps anybody from making proofs in advance.
        dpop_nonce_required: bool = "false", "true or false";
        /// Seconds in which the user of a device without a browser has to type its code. With more, there is more time to
        /// guess codes: at 600 one network hits a given code with a chance of less than 2^-27.
        device_code_lifetime_secs: i64 = "600", "a whole number from 1";
        /// Seconds that such a device waits between two questions whether its user has answered.
        device_code_interval_secs: i64 = "5", "a whole number from 1";
        /// Days that it is listed what clients were told of logouts. 0: for ever. Of one client the last 10000 are kept at most.
        logout_log_days: i64 = "30", "a whole number; 0 for ever";
        /// Seconds in which a browser has to come with a request that its client has pushed.
        pushed_request_lifetime_secs: i64 = "60", "a whole number from 1";
        /// Whether every client has to push its authorization requests. One by one, a client says so of itself.
        require_pushed_requests: bool = "false", "true or false";
    }
}

// Tables of their own follow the other settings of their section.
section! {
    /// What there is of the OAuth 2.0 and OpenID Connect provider because the file says so.
    Declared in "oauth." {
        /// Scopes of your own, beside those of OpenID Connect. description is what people read who are asked to agree. claims
        /// are told of the user, under names of your own: user_id, username, email, first_name, last_name, roles, permissions,
        /// is_superuser or created_at; claims_in says where: "userinfo" (if nothing is said), "id_token", "access_token".
        /// permissions stand in the access token, as far as its user holds them.
        scopes: Scopes = "[]", "a list of tables; in the environment as JSON";
        /// Clients, with the fields that POST /oauth-clients takes. At the start they are made and changed to what stands here,
        /// and are changed nowhere else; one that stands here no longer is switched off. The secret is client_secret, or the
        /// first line of client_secret_file: 32 random characters at least. Its hash alone is stored.
        clients: Clients = "[]", "a list of tables; in the environment as JSON";
    }
}

section! {
    /// Clients that register themselves (RFC 7591). They say themselves what they are: their users are always asked, and they
    /// never act but for a user.
    ClientRegistration in "client_registration." {
        /// Who registers clients at POST /oauth2/register: administrators alone, elsewhere; whoever has an initial access token
        /// that an administrator has made; or anybody.
        state: value::ClientRegistration = "\"off\"", "\"off\", \"token\" or \"open\"";
        /// All that such a client may ask for, with spaces between.
        scope: String = "\"openid profile email offline_access\"", "scopes with spaces between";
        /// What it may ask tokens for (RFC 8707), beside this server.
        resources: Uris = "[]", "a list of absolute URIs, as in [\"https://mcp.example.org/\"]";
        /// With "open": clients that one network (an IPv4 address, or a /64 of IPv6) may register in an hour without a token.
        per_hour: u32 = "20", "a whole number from 1";
        /// With "open": clients that there may be at a time without a token. One more is answered with 503.
        max_clients: u64 = "1000", "a whole number from 1";
        /// With "open": days after which such a client is removed that has got no token for a user in all of them.
        unused_days: i64 = "30", "a whole number from 1";
    }
}

section! {
    /// Clients whose name is the https URL of a document that says what they are (Client ID Metadata Documents). They may be what
    /// clients may be that register themselves: client_registration.scope, .resources, .max_clients and .unused_days hold
    /// for them, too.
    ClientDocuments in "client_documents." {
        /// Whether such documents are read. On, whoever opens a login page can have this server ask any host of the public
        /// internet for a small document, so many an hour: therefore off unless somebody wants it.
        state: Switch = "\"off\"", "\"on\" or \"off\"";
        /// The hosts whose documents are read. Empty: any.
        allowed_hosts: Hosts = "[]", "a list of host names, as in [\"app.example.org\"]";
        /// Documents that are read in an hour for one network, and of one host.
        per_hour: u32 = "60", "a whole number from 1";
    }
}

section! {
    /// Requests of this server to others: documents of OAuth clients, and what those are told.
    Outbound in "outbound." {
        /// Networks of your own that it may go to, even by plain http. To all else it goes only by https, and only on the
        /// public internet: who names a URL cannot have it ask what lies behind your firewall.
        allowed_networks: IpNets = "[]", "a list of addresses and networks, as in [\"10.0.0.0/8\", \"::1\"]";
        /// Seconds for one request, from the look-up of the name to the last byte of the answer.
        timeout_secs: u64 = "5", "a whole number from 1";
        /// A file with certificates (PEM) that other servers may use beside those that the system trusts.
        ca_file: OptionalPath = "\"\"", "a path";
    }
}
