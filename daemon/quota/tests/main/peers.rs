//! Who may connect, and what hostile ones can do.

use std::io::Write as _;

use simbell_quota::protocol::{Counts, Reply, Request, VERSION};

use crate::fixture::*;

#[test]
fn another_user_is_refused() {
    let lab = Lab::new();
    let mut helper = Helper::start(&lab, &["--user", "54321"]);
    let path = helper.socket.clone();
    let connect = |uid: u32| {
        let path = path.clone();
        let connected = std::thread::spawn(move || {
            // Of this thread alone.
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(uid)).unwrap();
            Client::connect(&path)
        });
        connected.join().unwrap()
    };
    let said = connect(12_345).last_words();
    assert!(said.contains("not-permitted") && said.contains("12345"), "{said}");
    let mut client = connect(54_321);
    client.say(&Request::Hello { version: VERSION });
    assert_eq!(client.hear(), Reply::Hello { version: VERSION });
    drop(client);
    drop(helper.client());
    assert!(helper.lives());
}

#[test]
fn one_client_at_a_time() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut first = helper.client();
    first.arm(1, &[&link], Counts::Both, 100);
    let said = Client::connect(&helper.socket).last_words();
    assert!(said.contains("busy"), "{said}");
    link.download(72);
    first.crossed(1);
}

#[test]
fn garbage_ends_its_connection_and_nothing_else() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let mut helper = Helper::start(&lab, &[]);
    let hello = b"{\"hello\":{\"version\":1}}\n".as_slice();
    let deep = "[".repeat(3_000) + "\n";
    let long = "x".repeat(100_000);
    let garbage: [&[u8]; 10] = [
        b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"{\"hello\":{\"version\":2}}\n",
        b"{\"disarm\":{\"id\":1}}\n",
        b"\xff\xfe\x00\n",
        b"{\"hello\":{\"version\":1,\"more\":1}}\n",
        b"{\"arm\":{\"id\":1,\"links\":[1.5],\"counts\":\"both\",\"bytes\":1}}\n",
        b"{\"arm\":{\"id\":-1,\"links\":[1],\"counts\":\"up\x1b[2J\",\"bytes\":1}}\n",
        deep.as_bytes(),
        long.as_bytes(),
    ];
    for (number, garbage) in garbage.iter().enumerate() {
        let greetings: &[&[u8]] = if number < 6 { &[b"", hello] } else { &[hello] };
        // A greeting, twice, is no fault.
        for greeting in greetings {
            let wanted = greeting.is_empty() || number != 3;
            let mut client = Client::connect(&helper.socket);
            let _ = client.stream.write_all(greeting);
            let _ = client.stream.write_all(garbage);
            if wanted {
                let said = client.last_words();
                let shown = String::from_utf8_lossy(garbage).chars().take(60).collect::<String>();
                assert!(said.contains("refused") || said.is_empty(), "{shown}: {said}");
                assert!(!said.contains('\u{1b}'), "{said}");
            }
        }
    }
    assert!(helper.lives());
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 100);
    link.download(72);
    client.crossed(1);
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut deaf = Client::connect(&helper.socket);
    deaf.say(&Request::Hello { version: VERSION });
    // Answers that nobody reads fill the socket; then it is closed, and writing fails.
    let many = "{\"disarm\":{\"id\":1}}\n".repeat(100);
    while deaf.stream.write_all(many.as_bytes()).is_ok() {}
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 100);
    link.download(72);
    client.crossed(1);
}
