//! What settings of mails have to be together.
use std::net::IpAddr;
use std::path::PathBuf;

use super::settings::{Config, Mail};
use super::value::{MailSink, Registration, SmtpSecurity, Verification};
use crate::base::{Error, Result};

const MAX_PORT: u32 = 65_535;

impl Config {
    /// The directory of mails that are written to files.
    #[must_use]
    pub fn mail_directory(&self) -> PathBuf {
        self.mail.directory.0.clone().unwrap_or_else(|| self.data_dir.join("mail"))
    }

    pub(super) fn check_mail(&self) -> Result<()> {
        let mail = &self.mail;
        if mail.sink == MailSink::None {
            let needing = [
                ("registration", self.registration == Registration::Hidden),
                ("registration_verify", self.registration_verify == Verification::Required),
                ("mail.sign_in", mail.sign_in),
            ];
            return match needing.into_iter().find(|(_, needs)| *needs) {
                Some((setting, _)) => Err(Error::invalid(setting, "needs mail; set mail.sink, too")),
                None => Ok(()),
            };
        }
        if mail.from.is_empty() {
            return Err(Error::invalid("mail.from", "must be the address that mails come from"));
        }
        if mail.sink == MailSink::Smtp { mail.check_smtp() } else { Ok(()) }
    }
}

impl Mail {
    /// The port of the mail server.
    #[must_use]
    pub fn port(&self) -> u16 {
        let usual = match self.smtp_security {
            SmtpSecurity::Tls => 465,
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::None => 25,
        };
        u16::try_from(self.smtp_port).ok().filter(|port| *port > 0).unwrap_or(usual)
    }

    fn check_smtp(&self) -> Result<()> {
        if self.smtp_host.is_empty() {
            return Err(Error::invalid("mail.smtp_host", "must name the mail server"));
        }
        if self.smtp_port > MAX_PORT {
            return Err(Error::invalid("mail.smtp_port", "must be at most 65535"));
        }
        if self.smtp_username.is_empty() {
            return Ok(());
        }
        if self.smtp_password_file.0.is_none() {
            let reason = "must name a file with the password of mail.smtp_username";
            return Err(Error::invalid("mail.smtp_password_file", reason));
        }
        if self.smtp_security == SmtpSecurity::None && !is_this_machine(&self.smtp_host) {
            let reason = "must not be \"none\" where a password is sent to another machine";
            return Err(Error::invalid("mail.smtp_security", reason));
        }
        Ok(())
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}
