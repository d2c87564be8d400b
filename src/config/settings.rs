//! Every setting there is: its name, type, default, what is allowed, and what it does. The example file and the
//! errors are made from this.
use std::net::SocketAddr;
use std::path::PathBuf;

use super::Setting;
use super::color::Color;
use super::forward::Forward;
use super::provider::{ClientDocuments, ClientRegistration, Declared, Oauth, Outbound};
use super::section::section;
use super::source::Values;
use super::value::{
    IpNets, Language, LogFormat, LogLevel, MailSink, Names, OptionalPath, Origins, PublicUrl, Registration,
    Score, SmtpSecurity, Switch, Verification, Words,
};
use crate::base::Result;
use crate::crypto::Algorithm;

section! {
    /// All settings.
    Config in "" {
        /// Where the server listens.
        listen: SocketAddr = "\"127.0.0.1:8000\"", "an address and a port, as in \"127.0.0.1:8000\" or \"[::]:8000\"";
        /// Where clients find it: the issuer of tokens, and what cookies and redirects are made for. Behind a proxy
        /// this is the proxy's URL; it may have a path. Empty: where the server listens.
        public_url: Option<PublicUrl> = "\"\"", "an http or https URL without query, as in \"https://id.example.org\"";
        /// The directory of the store, the keys and the administration socket.
        data_dir: PathBuf = "\"./data\"", "a path";
        /// Whether anyone may make an account at POST /auth/register.
        /// "hidden": anyone, and the answer does not tell whether an e-mail address has an account: the account is made
        /// when the link in a mail is opened, and the owner of an address that has one already gets a mail that says so.
        /// (That a user name is taken is told; user names are public.) Needs mail.
        registration: Registration = "\"open\"", "\"open\", \"hidden\" or \"closed\"";
        /// "required": whoever registers can log in once the link in a mail to the address has been opened. Needs mail.
        registration_verify: Verification = "\"off\"", "\"off\" or \"required\"";
        /// Peers whose X-Forwarded-For is believed, and who may ask GET /auth/forward.
        trusted_proxies: IpNets = "[]", "a list of addresses and networks, as in [\"10.0.0.0/8\", \"::1\"]";
        /// Origins whose pages may call this API with cookies, beside the server's own.
        cors_origins: Origins = "[]", "a list of origins, as in [\"https://app.example.org\"]";
    }
    parts {
        http: Http,
        rate_limit: RateLimit,
        password: Password,
        tokens: Tokens,
        oauth: Oauth,
        declared: Declared,
        client_registration: ClientRegistration,
        client_documents: ClientDocuments,
        sessions: Sessions,
        throttle: Throttle,
        mfa: Mfa,
        passkeys: Passkeys,
        mail: Mail,
        pages: Pages,
        forward: Forward,
        outbound: Outbound,
        keys: Keys,
        store: Store,
        audit: Audit,
        log: Log,
    }
}

section! {
    /// The listener.
    Http in "http." {
        /// Open connections. At the limit the longest idle one is closed for a new one.
        max_connections: usize = "10000", "a whole number from 1";
        /// Seconds for a request, its body and its answer.
        request_timeout_secs: u64 = "30", "a whole number from 1";
        /// Seconds in which a new connection has to send its first request's head.
        header_timeout_secs: u64 = "10", "a whole number from 1";
        /// Seconds that a connection may be without a request.
        idle_timeout_secs: u64 = "75", "a whole number from 1";
        /// Seconds that running requests get when the server stops.
        shutdown_timeout_secs: u64 = "10", "a whole number from 1";
        /// Bytes of a request's body.
        max_body_bytes: usize = "1048576", "a whole number from 1";
    }
}

section! {
    /// Requests by client.
    RateLimit in "rate_limit." {
        /// Requests an hour for one API key, else one user, else one address. 0 switches the limit off.
        requests_per_hour: u32 = "1000", "a whole number; 0 for no limit";
        /// How many clients are counted at a time; with more, the least active are forgotten.
        max_clients: u64 = "100000", "a whole number from 1";
    }
}

section! {
    /// How passwords are hashed (Argon2id).
    Password in "password." {
        /// KiB of memory for one hash. Stored hashes with less are renewed at the next login.
        memory_kib: u32 = "19456", "a whole number from 8 for each lane";
        /// Passes over the memory.
        iterations: u32 = "2", "a whole number from 1";
        /// Lanes.
        parallelism: u32 = "1", "a whole number from 1";
        /// Threads that hash. 0: as many as there are cores.
        threads: usize = "0", "a whole number";
        /// Hashes that may wait for a thread; one more is answered with 503.
        queue: usize = "64", "a whole number from 1";
        /// Words that no password may hold, beside the user name and e-mail: your product, your company.
        blocked_words: Words = "[]", "a list of words of at least 3 characters";
        /// How strong a new password has to be, as zxcvbn estimates it: 1 takes ten thousand guesses or more, 2 a million,
        /// 3 a hundred million, 4 ten thousand million. 0: length and the lists alone.
        min_strength: Score = "2", "0, 1, 2, 3 or 4";
        /// The file that `auth-service passwords build-filter` has made of a downloaded list of leaked passwords: those
        /// are refused. It is read once at the start, to know that it is whole. Empty: only the few that come with the server.
        breach_filter: OptionalPath = "\"\"", "a path";
    }
}

section! {
    /// Access and refresh tokens.
    Tokens in "tokens." {
        /// How access tokens are signed. HS256 is for those whose other services share a secret already.
        algorithm: Algorithm = "\"ES256\"", "\"ES256\", \"RS256\", \"EdDSA\" or \"HS256\"";
        /// The file with the shared secret of HS256, at least 32 bytes.
        shared_secret_file: OptionalPath = "\"\"", "a path; needed for HS256";
        /// Whom access tokens are for (the claim aud). Empty: the server itself.
        audience: String = "\"\"", "any text";
        /// Seconds that an access token is good.
        access_lifetime_secs: i64 = "900", "a whole number from 1";
        /// Seconds that a refresh token is good; every refresh begins them anew.
        refresh_lifetime_secs: i64 = "2592000", "a whole number from 1";
        /// Seconds in which a refresh token that was used already gets the same answer again, so that a lost
        /// answer or a second tab logs nobody out. Later it ends the session.
        refresh_replay_secs: i64 = "30", "a whole number";
    }
}

section! {
    /// Sessions of users.
    Sessions in "sessions." {
        /// Seconds after which a session ends, however often it is refreshed.
        max_lifetime_secs: i64 = "31536000", "a whole number from 1";
        /// Sessions of one user at a time; one more ends the oldest.
        max_per_user: usize = "100", "a whole number from 1";
        /// Seconds after a login in which passwords, e-mail addresses, second factors, keys and roles may be changed, and
        /// an account be deleted. Later it takes POST /auth/reauthenticate.
        recent_login_secs: i64 = "900", "a whole number from 1";
    }
}

section! {
    /// Guesses at passwords and codes.
    Throttle in "throttle." {
        /// Whether they are slowed down. Off only for measurements, or where something before this server does it.
        state: Switch = "\"on\"", "\"on\" or \"off\"";
        /// Wrong guesses at one account from one network that need not wait. After those each waits twice as long as the
        /// one before.
        free_guesses: u32 = "10", "a whole number from 1";
        /// Wrong guesses at one account from all networks that need not wait.
        free_guesses_everywhere: u32 = "30", "a whole number from 1";
        /// Wrong guesses from one network (an IPv4 address, or a /64 of IPv6), at whatever accounts, that need not wait; four
        /// times as many from a /48.
        free_guesses_of_network: u32 = "100", "a whole number from 1";
        /// Seconds that a guess at one account from one network waits at most. From all networks, and of one network at all
        /// accounts, it is at most a minute: nobody is kept out for long by what others do.
        longest_wait_secs: u32 = "900", "a whole number from 1";
    }
}

section! {
    /// Second factors.
    Mfa in "mfa." {
        /// Roles whose holders have to have a second factor; "user" is everyone. While they have none, their sessions
        /// can do nothing but set one up, and their API keys no more than that.
        required_for: Names = "[]", "a list of names of roles, as in [\"superuser\", \"admin\"]";
        /// What authenticator apps show beside the account. Empty: the host of public_url.
        issuer: String = "\"\"", "any text";
        /// Days that a user can have a device trusted: on it a password is enough. 0: no device is trusted.
        trusted_device_days: u32 = "30", "a whole number; 0 for never";
    }
}

section! {
    /// Passkeys (WebAuthn). They need a public_url with a domain over https, or localhost.
    Passkeys in "passkeys." {
        /// The domain that passkeys are made for. Those made for one are good for no other. Empty: the host of public_url.
        rp_id: String = "\"\"", "the host of public_url, or a domain above it";
        /// What authenticators show when a passkey is made. Empty: the host of public_url.
        rp_name: String = "\"\"", "any text";
        /// Origins of other domains whose pages may use these passkeys, too: served at /.well-known/webauthn, which has to
        /// be found at the domain of rp_id. Pages that call this API from there need cors_origins, too.
        related_origins: Origins = "[]", "a list of origins, as in [\"https://shop.example.com\"]";
    }
}

section! {
    /// Mails: how they leave, and what they look like.
    Mail in "mail." {
        /// Where mails go: to a mail server, into a directory (for development), or nowhere. "none" holds those with a
        /// link, so that an administrator can hand it on.
        sink: MailSink = "\"none\"", "\"none\", \"smtp\" or \"directory\"";
        /// Whom mails come from. Empty, while there is a sink, is refused.
        from: String = "\"\"", "an e-mail address, as in \"accounts@example.org\" or \"Accounts <accounts@example.org>\"";
        /// The directory of sink "directory". Empty: mail in the data directory.
        directory: OptionalPath = "\"\"", "a path";
        /// The mail server of sink "smtp".
        smtp_host: String = "\"\"", "a host name or an address";
        /// Its port. 0: 465 with "tls", 587 with "starttls", 25 with "none".
        smtp_port: u32 = "0", "a whole number up to 65535; 0 for the usual one";
        /// How the connection is kept private. "none" is for a server on this machine or in a network of your own: on the
        /// way anybody can read the mails, and the links in them.
        smtp_security: SmtpSecurity = "\"tls\"", "\"tls\", \"starttls\" or \"none\"";
        /// The user at the mail server. Empty: nobody logs in.
        smtp_username: String = "\"\"", "any text";
        /// The file with that user's password, its first line.
        smtp_password_file: OptionalPath = "\"\"", "a path; needed with smtp_username";
        /// A file with certificates (PEM) that the mail server may use beside those that the system trusts.
        smtp_ca_file: OptionalPath = "\"\"", "a path";
        /// Seconds for handing over one mail.
        smtp_timeout_secs: u64 = "20", "a whole number from 1";
        /// The language of mails to those whose browser asks for none that there is.
        language: Language = "\"en\"", "\"en\" or \"de\"";
        /// A directory of templates that come before those of the program: `en/reset_password.txt`, `layout.html`.
        template_dir: OptionalPath = "\"\"", "a path";
        /// Whether a mailed link or code can take the place of the password.
        sign_in: bool = "false", "true or false";
    }
}

section! {
    /// What people see in a browser when they sign in.
    Pages in "pages." {
        /// What pages call the service. Empty: what authenticator apps show (mfa.issuer).
        name: String = "\"\"", "any text";
        /// A picture above each page: PNG, JPEG, GIF, WebP or SVG, at most 256 KiB. It is read at the start. Empty: the name.
        logo: OptionalPath = "\"\"", "a path";
        /// The colour of buttons and links. What is written on a button is black or white, whichever can be read.
        color: Color = "\"#1c5fb8\"", "a colour as in \"#1c5fb8\" that can be told from background (contrast 4.5)";
        /// The same where a browser wants dark pages.
        color_dark: Color = "\"#8ab8f5\"", "a colour as in \"#8ab8f5\" that can be told from background_dark (contrast 4.5)";
        /// What pages are written on.
        background: Color = "\"#ffffff\"", "a colour as in \"#ffffff\"";
        /// The same where a browser wants dark pages.
        background_dark: Color = "\"#14171b\"", "a colour as in \"#14171b\"";
        /// The language of pages for those whose application and browser want none that there is.
        language: String = "\"en\"", "\"en\", \"de\" or one of language_dir";
        /// A directory with files like `fr.json`, objects of texts by their names, for more languages than English and German,
        /// or for other words. What a file does not say stays as it is.
        language_dir: OptionalPath = "\"\"", "a path";
    }
}

section! {
    /// The keys that sign tokens, and the one that they are encrypted under.
    Keys in "keys." {
        /// The file of the master key. Empty: master.key in the data directory.
        master_key_file: OptionalPath = "\"\"", "a path";
        /// Days after which the next signing key takes over. 0: only by `auth-service keys rotate`.
        rotation_days: i64 = "90", "a whole number; 0 for never";
    }
}

section! {
    /// The embedded store.
    Store in "store." {
        /// MiB of the store's file that are kept in memory.
        cache_mib: usize = "16", "a whole number from 1";
    }
}

section! {
    /// The audit trail.
    Audit in "audit." {
        /// Days that events are kept. 0: for ever.
        retention_days: i64 = "365", "a whole number; 0 for ever";
        /// MiB of events that are kept; more, and the oldest go. 0: any number.
        max_mib: u64 = "256", "a whole number; 0 for any number";
        /// Different failed logins and refused requests an hour that are written one by one; of more the number alone.
        failures_per_hour: u64 = "1000", "a whole number";
    }
}

section! {
    /// What the server writes to standard error.
    Log in "log." {
        /// How much.
        level: LogLevel = "\"info\"", "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"";
        /// In what form: text on a terminal and JSON otherwise, or one of them always.
        format: LogFormat = "\"auto\"", "\"auto\", \"text\" or \"json\"";
    }
}

/// Every setting, section by section, in the order of the example file.
pub const SETTINGS: &[&[Setting]] = &[
    Config::SETTINGS,
    Http::SETTINGS,
    RateLimit::SETTINGS,
    Password::SETTINGS,
    Tokens::SETTINGS,
    Oauth::SETTINGS,
    Declared::SETTINGS,
    ClientRegistration::SETTINGS,
    ClientDocuments::SETTINGS,
    Sessions::SETTINGS,
    Throttle::SETTINGS,
    Mfa::SETTINGS,
    Passkeys::SETTINGS,
    Mail::SETTINGS,
    Pages::SETTINGS,
    Forward::SETTINGS,
    Outbound::SETTINGS,
    Keys::SETTINGS,
    Store::SETTINGS,
    Audit::SETTINGS,
    Log::SETTINGS,
];
