//! Where mails go: to a mail server, into files, or nowhere.
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::model::{Queued, Written};
use crate::base::{Error, Result, Secret};
use crate::config::{Config, Mail, MailSink, SmtpSecurity};

/// What became of an attempt. The texts hold nothing of the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// Not now.
    Later(String),
    /// The mail server cannot be reached, or does not let us in.
    Unreachable(String),
    /// Never.
    Refused(String),
}

/// Where mails go.
pub struct Sink {
    from: Option<Mailbox>,
    /// What message ids end with.
    host: String,
    way: Way,
}

enum Way {
    None,
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>, Duration),
    Directory(PathBuf),
}

impl Sink {
    /// The one that the settings say. No server is asked.
    ///
    /// # Errors
    /// `Error::Invalid` naming the setting that cannot be used.
    pub fn open(config: &Config) -> Result<Self> {
        let (mail, host) = (&config.mail, config.public_url().host().to_owned());
        let way = match mail.sink {
            MailSink::None => Way::None,
            MailSink::Directory => Way::Directory(config.mail_directory()),
            MailSink::Smtp => {
                Way::Smtp(Box::new(transport(mail, &host)?), Duration::from_secs(mail.smtp_timeout_secs))
            }
        };
        let from = match way {
            Way::None => None,
            _ => {
                let wrong = |_| Error::invalid("mail.from", "is not an e-mail address");
                Some(mail.from.parse().map_err(wrong)?)
            }
        };
        Ok(Self { from, host, way })
    }

    /// Whether mails leave.
    #[must_use]
    pub fn delivers(&self) -> bool {
        !matches!(self.way, Way::None)
    }

    /// What it is called in the settings.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.way {
            Way::None => "none",
            Way::Smtp(..) => "smtp",
            Way::Directory(_) => "directory",
        }
    }

    /// Hands one mail on.
    pub async fn send(&self, queued: &Queued, written: &Written) -> Outcome {
        let message = match self.message(queued, written) {
            Ok(message) => message,
            Err(why) => return Outcome::Refused(why),
        };
        match &self.way {
            Way::None => Outcome::Later("no mail leaves".to_owned()),
            Way::Smtp(server, patience) => {
                match tokio::time::timeout(*patience, server.send(message)).await {
                    Ok(Ok(_)) => Outcome::Sent,
                    Ok(Err(error)) => judge(&error),
                    Err(_) => Outcome::Unreachable("the mail server takes too long".to_owned()),
                }
            }
            Way::Directory(directory) => {
                let path = directory.join(format!("{}-{}.eml", queued.created_at.secs(), queued.id));
                let written = tokio::task::spawn_blocking(move || write_file(&path, &message.formatted()));
                match written.await {
                    Ok(Ok(())) => Outcome::Sent,
                    Ok(Err(cause)) => Outcome::Unreachable(cause.to_string()),
                    Err(cause) => Outcome::Later(cause.to_string()),
                }
            }
        }
    }

    /// The mail as it leaves: its id and date are those of the queue, so that one that comes twice is known again.
    fn message(&self, queued: &Queued, written: &Written) -> Result<Message, String> {
        let from = self.from.clone().ok_or("nobody sends it")?;
        let to = written.to.parse().map_err(|_| "its address is none that can be written to")?;
        let since = Duration::from_micros(u64::try_from(queued.created_at.micros()).unwrap_or_default());
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(from)
            .to(Mailbox::new(None, to))
            .subject(&written.subject)
            .date(UNIX_EPOCH + since)
            .message_id(Some(format!("<{}@{}>", queued.id, self.host)))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(written.text.clone(), written.html.clone()))
            .map_err(|cause| cause.to_string())
    }
}

/// What a failure of the mail server means. What it says in words may hold the address, and is not repeated.
fn judge(error: &lettre::transport::smtp::Error) -> Outcome {
    /// It does not let us in: that is for whoever runs this server to mend, and no fault of the mail.
    const NOT_LET_IN: [u16; 5] = [454, 530, 534, 535, 538];
    let Some(code) = error.status() else { return Outcome::Unreachable(error.to_string()) };
    let code = u16::from(code);
    match code {
        421 => Outcome::Unreachable("the mail server says 421".to_owned()),
        code if NOT_LET_IN.contains(&code) => {
            Outcome::Unreachable(format!("the mail server lets nobody in: {code}"))
        }
        code if error.is_permanent() => Outcome::Refused(format!("the mail server refuses it: {code}")),
        code => Outcome::Later(format!("the mail server says {code}")),
    }
}

fn transport(mail: &Mail, host: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
    let server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(mail.smtp_host.clone())
        .port(mail.port())
        .hello_name(ClientId::Domain(host.to_owned()))
        .timeout(Some(Duration::from_secs(mail.smtp_timeout_secs)))
        .tls(match mail.smtp_security {
            SmtpSecurity::None => Tls::None,
            SmtpSecurity::Tls => Tls::Wrapper(tls(mail)?),
            SmtpSecurity::StartTls => Tls::Required(tls(mail)?),
        });
    if mail.smtp_username.is_empty() {
        return Ok(server.build());
    }
    let password = password(mail)?;
    Ok(server.credentials(Credentials::new(mail.smtp_username.clone(), password.expose().to_owned())).build())
}

/// With the cryptography that everything here uses: no other is compiled in.
fn tls(mail: &Mail) -> Result<TlsParameters> {
    let mut parameters = TlsParameters::builder(mail.smtp_host.clone());
    if let Some(path) = &mail.smtp_ca_file.0 {
        let wrong = |cause: &dyn std::fmt::Display| {
            Error::invalid("mail.smtp_ca_file", format!("cannot be used: {}: {cause}", path.display()))
        };
        let text = fs::read(path).map_err(|cause| wrong(&cause))?;
        parameters =
            parameters.add_root_certificate(Certificate::from_pem(&text).map_err(|cause| wrong(&cause))?);
    }
    parameters
        .build_rustls()
        .map_err(|cause| Error::invalid("mail.smtp_host", format!("cannot be used: {cause}")))
}

/// The first line of the file.
fn password(mail: &Mail) -> Result<Secret> {
    let path = mail.smtp_password_file.0.clone().unwrap_or_default();
    let text = fs::read_to_string(&path).map(zeroize::Zeroizing::new).map_err(|cause| {
        Error::invalid("mail.smtp_password_file", format!("cannot be read: {}: {cause}", path.display()))
    })?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

/// Whole or not at all, and for its owner's eyes.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let partial = path.with_extension("partial");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    File::open(directory)?.sync_all()
}
