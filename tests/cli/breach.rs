//! `auth-service passwords build-filter`, and the server that is told to use what it makes.
use std::fs;

use serde_json::json;

use crate::support::Place;

/// Of `123456`, and of two words.
const LIST: &str = "7C4A8D09CA3762AF61E59520943DC26494F8941B:37359195\r\n\
                    5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:10434004\r\n\
                    B1B3773A05C0ED0176787A4F1574FF0075F7521E:3\r\n";

#[test]
fn a_filter_is_made_beside_the_list_or_where_it_is_told() {
    let place = Place::new();
    let list = place.file("pwned.txt", LIST);
    let list = list.to_str().unwrap();
    let said = place.run(&["passwords", "build-filter", list]).text();
    assert!(said.starts_with(&format!("3 hashes in {list}.filter (")), "{said}");
    let out = format!("{list}.few");
    let args = ["--json", "passwords", "build-filter", list, "--out", &out, "--min-count", "100"];
    let bytes = fs::metadata(format!("{list}.filter")).unwrap().len();
    let said = place.json(&args);
    assert_eq!((&said["file"], &said["hashes"], &said["left_out"]), (&json!(out), &json!(2), &json!(1)));
    assert!(said["bytes"].as_u64().unwrap() < bytes);
    assert!(!fs::exists(format!("{out}.partial")).unwrap());
}

#[test]
fn what_is_no_list_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let list = place.file("list", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:1\nsecret\n");
    let list = list.to_str().unwrap();
    let build = |more: &[&str]| place.run(&[&["passwords", "build-filter", list], more].concat());
    let said = build(&[]).refusal(2);
    assert!(said.contains("file line 2 is no SHA-1 hash") && !said.contains("secret"), "{said}");
    assert!(!fs::exists(format!("{list}.filter")).unwrap());
    fs::write(list, LIST).unwrap();
    assert!(build(&["--out", list]).refusal(2).contains("out is the list itself"));
    assert_eq!(fs::read_to_string(list).unwrap(), LIST);
    let said = place.run(&["passwords", "build-filter", "/nowhere/list"]).refusal(3);
    assert!(said.contains("/nowhere/list cannot be read"), "{said}");
}

#[test]
fn a_server_refuses_a_filter_that_is_not_whole_by_name() {
    let place = Place::new();
    let list = place.file("pwned.txt", LIST);
    place.run(&["passwords", "build-filter", list.to_str().unwrap()]).text();
    let filter = format!("{}.filter", list.display());
    let place = place.with("password.breach_filter", &filter);
    place.start().stop();
    let whole = fs::read(&filter).unwrap();
    for damaged in [
        &whole[..whole.len() - 1],
        &whole[..10],
        b"no filter, but long enough to have had a header ...........",
    ] {
        fs::write(&filter, damaged).unwrap();
        let said = place.run(&["serve"]).refusal(3);
        assert!(said.contains("password.breach_filter") && said.contains(&filter), "{said}");
    }
    let mut flipped = whole.clone();
    flipped[70] ^= 1;
    fs::write(&filter, &flipped).unwrap();
    assert!(place.run(&["serve"]).refusal(3).contains("is damaged"));
}
