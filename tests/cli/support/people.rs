//! What a login or refresh gives.
use reqwest::Response;
use reqwest::header::SET_COOKIE;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub csrf: String,
}

impl Tokens {
    pub fn from(answer: &Response) -> Self {
        let cookie = |name: &str| {
            let all = answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
            let mut mine = all.filter_map(|text| text.strip_prefix(&format!("{name}=")));
            mine.next().unwrap().split(';').next().unwrap().to_owned()
        };
        Self {
            access: cookie("access_token_cookie"),
            refresh: cookie("refresh_token_cookie"),
            csrf: cookie("csrf_access_token"),
        }
    }
}
