//! What vnStat measured before, taken in: a database of vnStat's own making, each byte once.

use std::process::Command;

use crate::fixture::*;

fn ctl(place: &Place, arguments: &[&str]) -> (i32, String, String) {
    let output = place.ctl(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_vnstat_database_is_taken_in_once_to_the_byte_and_out_again() {
    let scene = Scene::new("vnstat", modem_spec(), "").await;
    let dir = scene.place.dir.join("vnstat");
    std::fs::create_dir_all(&dir).unwrap();
    let config = dir.join("conf");
    std::fs::write(&config, format!("DatabaseDir \"{}\"\nDaemonUser \"\"\n", dir.display())).unwrap();
    let made = Command::new("vnstatd").arg("--config").arg(&config).arg("--initdb").output();
    let made = made.unwrap_or_else(|error| panic!("vnstatd: {error}; install the package vnstat"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = dir.join("vnstat.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch(
        "INSERT INTO interface VALUES (1, 'wwan9', '', 1, '2024-01-01 00:00:00', '2025-03-02 13:00:00', 0, 0, 6112, 613);
         INSERT INTO hour (interface, date, rx, tx) VALUES (1, '2025-03-02 00:00:00', 5, 1), (1, '2025-03-02 13:00:00', 7, 2);
         -- The hours of the day before are forgotten in part.
         INSERT INTO hour (interface, date, rx, tx) VALUES (1, '2025-03-01 23:00:00', 40, 4);
         INSERT INTO day (interface, date, rx, tx) VALUES (1, '2025-03-01', 100, 10), (1, '2025-03-02', 12, 3);
         INSERT INTO month (interface, date, rx, tx) VALUES (1, '2025-01-01', 1000, 100), (1, '2025-03-01', 112, 13);
         INSERT INTO year (interface, date, rx, tx) VALUES (1, '2024-01-01', 5000, 500), (1, '2025-01-01', 1112, 113);
         -- An interface that was counted while the clock was at its beginning and while it was ahead, and more than there is.
         INSERT INTO interface VALUES (2, 'wwan8', '', 1, '1970-01-01 00:00:00', '2025-03-02 13:00:00', 0, 0, 0, 0);
         INSERT INTO hour (interface, date, rx, tx) VALUES (2, '1970-01-01 00:00:00', 5, 1), (2, '2025-03-02 13:00:00', 7, 2),
         (2, '2106-02-07 06:00:00', 3, 3), (2, '2025-03-02 14:00:00', 9223372036854775807, 0);",
    )
    .unwrap();
    drop(conn);
    let json = Command::new("vnstat")
        .arg("--config")
        .arg(&config)
        .args(["--json", "y", "-i", "wwan9"])
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let years = json["interfaces"][0]["traffic"]["year"].as_array().unwrap();
    let sum = |key: &str| years.iter().map(|year| year[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("rx"), sum("tx")), (6_112, 613), "as vnStat itself tells it");

    let daemon = Daemon::start(&scene.place, None).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    let path = file.to_str().unwrap();
    let import = ["import", "vnstat", path, "--interface", "wwan9", "--sim", "home"];
    let (code, said, error) = ctl(&scene.place, &[&import[..], &["--dry-run"]].concat());
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.contains("6 rows") && said.contains("would be taken in"), "{said}");
    let total = || scene.place.ledger();
    let in_ledger = |of: &str| -> (i64, i64, i64) {
        total().query_row(of, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    };
    let all = "SELECT count(*), coalesce(sum(rx_bytes), 0), coalesce(sum(tx_bytes), 0) FROM usage WHERE source = 'import'";
    assert_eq!(in_ledger(all), (0, 0, 0), "a dry run changes nothing");

    let (code, said, error) = ctl(&scene.place, &import);
    assert_eq!(code, 0, "{said}{error}");
    // A year, a month, what is left of a day, and three hours: nothing twice, nothing left.
    assert_eq!(in_ledger(all), (6, 6_112, 613));
    let (_, again, _) = ctl(&scene.place, &import);
    assert!(again.contains("0 rows") && again.contains("Left out: 6 rows"), "{again}");
    assert_eq!(in_ledger(all), (6, 6_112, 613));
    let (_, shown, _) =
        ctl(&scene.place, &["usage", "--sim", "home", "--by", "cycle", "--from", "2024-01-01", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (shown["total"]["rx_bytes"].as_u64(), shown["total"]["tx_bytes"].as_u64()),
        (Some(6_112), Some(613))
    );

    // A person took some of it off: without it that would be less than nothing.
    let undo = ["import", "undo", "--interface", "wwan9", "--sim", "home"];
    let corrected = "INSERT INTO correction (iccid, at_ms, bytes, author, reason)
                     SELECT iccid, start_ms, -4, 'uid 0', 'x' FROM usage WHERE source = 'import' AND rx_bytes = 5";
    assert_eq!(total().execute(corrected, []).unwrap(), 1);
    let (code, _, error) = ctl(&scene.place, &undo);
    assert!(code == 1 && error.contains("what was imported of wwan9 stays"), "{code} {error}");
    assert!(error.contains("4 B less than nothing") && error.contains("usage corrections"), "{error}");
    assert_eq!(in_ledger(all), (6, 6_112, 613), "nothing was taken out");
    total().execute("DELETE FROM correction", []).unwrap();

    let (code, said, _) = ctl(&scene.place, &undo);
    assert!(code == 0 && said.contains("6 rows"), "{said}");
    assert_eq!(in_ledger(all), (0, 0, 0));
    let (code, said, _) = ctl(&scene.place, &["import", "undo", "--interface", "wwan9", "--sim", "home"]);
    assert!(code == 0 && said.starts_with("Nothing was imported of wwan9"), "{said}");

    // What cannot be is left out, and keeps nothing else away.
    let (code, said, error) =
        ctl(&scene.place, &["import", "vnstat", path, "--interface", "wwan8", "--sim", "home"]);
    assert_eq!(code, 0, "{said}{error}");
    assert!(said.starts_with("1 row with 7 B received") && said.contains("3 rows that cannot be"), "{said}");
    assert_eq!(in_ledger(all), (1, 7, 2));

    // A year that says more than its months keeps none of them away; what cannot be a figure is counted each.
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch(
        "UPDATE year SET rx = rx + 1000000 WHERE date = '2025-01-01';
         UPDATE month SET tx = -1 WHERE date = '2025-03-01'; UPDATE day SET rx = -7 WHERE date = '2025-03-02';",
    )
    .unwrap();
    drop(conn);
    let (code, said, error) = ctl(&scene.place, &import);
    assert_eq!(code, 0, "{said}{error}");
    // The hour that the other interface has an entry of.
    assert!(said.starts_with("5 rows") && said.contains("Left out: 1 row with 7 B received"), "{said}");
    assert!(said.contains("of 1 months or years 1") && said.contains("2 rows that cannot be"), "{said}");
    assert_eq!(in_ledger(all), (6, 6_112, 613));

    for (arguments, says) in [
        (["import", "vnstat", path, "--interface", "eth7"], "knows no interface"),
        (["import", "vnstat", "/nowhere", "--interface", "wwan9"], "cannot be read"),
        (["import", "vnstat", config.to_str().unwrap(), "--interface", "wwan9"], "no vnStat 2 database"),
    ] {
        let (code, _, error) = ctl(&scene.place, &[&arguments[..], &["--sim", "home"]].concat());
        assert!(code == 1 && error.contains(says), "{code} {error}");
    }
}
