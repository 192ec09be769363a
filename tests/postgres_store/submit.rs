//! `signwave_submit`: texts are signed as they are written, and the same again is the same record.

use std::thread;

use diesel::{
    PgConnection, RunQueryDsl,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Binary, Text},
};

use crate::{Database, lines, run};

#[derive(diesel::QueryableByName)]
struct Submitted {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

fn stored(connection: &mut PgConnection) -> Vec<String> {
    lines(connection, "SELECT convert_from(payload, 'UTF8') AS line FROM record ORDER BY id")
}

#[test]
fn a_text_stands_for_its_utf8_bytes_whatever_it_looks_like() {
    let texts = [
        r#"{"path":"C:\\new"}"#,
        r#"{"text":"a\nb"}"#,
        r"C:\dir",
        r"\x41",
        r"DOM\101IN",
        r"\",
        r"\\x",
        "",
        "Grüße ✓",
        "\\xzz",
        "a\u{1}b",
    ];
    for settings in
        ["SET client_encoding = 'UTF8'", "SET bytea_output = 'escape'", "SET search_path = pg_catalog"]
    {
        let database = Database::new("texts");
        let mut stranger = database.stranger();
        run(&mut stranger, settings);
        // A literal, and a parameter whose type the server chooses.
        for text in texts {
            run(&mut stranger, &format!("SELECT public.signwave_submit(NULL, '{text}')"));
            run(
                &mut stranger,
                &format!(
                    "PREPARE p AS SELECT public.signwave_submit(NULL, $1); EXECUTE p('{text}'); DEALLOCATE p"
                ),
            );
        }
        let expected: Vec<_> = texts.iter().flat_map(|text| [*text, *text]).collect();
        assert_eq!(stored(&mut database.admin()), expected, "{settings}");
    }
}

#[test]
fn another_encoding_of_the_client_is_converted() {
    let database = Database::new("latin");
    let mut stranger = database.stranger();
    run(&mut stranger, "SET client_encoding = 'LATIN1'");
    // Two characters of Latin 1, as its bytes C3 BC come.
    run(&mut stranger, "SELECT signwave_submit('a', 'ü')");
    run(&mut stranger, r"SET client_encoding = 'SQL_ASCII'; SELECT signwave_submit('b', E'\xC3\xBC')");
    assert_eq!(stored(&mut database.admin()), ["Ã¼", "ü"]);
}

#[test]
fn bytes_are_stored_as_bytes_and_many_at_a_time() {
    let database = Database::new("bytes");
    let mut stranger = database.stranger();
    let sql = "SELECT signwave_submit($1, $2) AS id";
    let bytes: Submitted =
        sql_query(sql).bind::<Text, _>("a").bind::<Binary, _>(b"\\x41").get_result(&mut stranger).unwrap();
    let text: Submitted =
        sql_query(sql).bind::<Text, _>("b").bind::<Text, _>("\\x41").get_result(&mut stranger).unwrap();
    assert_ne!(bytes.id, text.id);
    run(&mut stranger, r"SELECT signwave_submit('n' || i, '\x' || i) FROM generate_series(1, 1000) AS i");
    run(&mut stranger, r"SELECT signwave_submit('hex', '\x41'::bytea)");
    let all = stored(&mut stranger);
    assert_eq!(
        (all.len(), all[0].as_str(), all[1].as_str(), all[2].as_str()),
        (1003, r"\x41", r"\x41", r"\x1")
    );
    assert_eq!(all[1002], "A");
}

#[test]
fn the_same_again_is_the_same_record_and_another_payload_is_refused() {
    let database = Database::new("again");
    let mut stranger = database.stranger();
    let mut submit = |name: &str, payload: &str| {
        sql_query("SELECT signwave_submit($1, $2) AS id")
            .bind::<Text, _>(name)
            .bind::<Text, _>(payload)
            .get_result::<Submitted>(&mut stranger)
            .map(|submitted| submitted.id)
    };
    let first = submit("a", "x").unwrap();
    assert_eq!(submit("a", "x").unwrap(), first);
    assert_eq!(submit("b", "x").unwrap(), first + 1, "a repetition draws no id");
    let error = submit("a", "y").unwrap_err().to_string();
    assert!(error.contains("signwave: external_id 'a' is there with another payload"), "{error}");
    assert!(stranger.batch_execute("SELECT signwave_submit('c', NULL::text)").is_err());
    assert_eq!(stored(&mut stranger), ["x", "x"]);
}

#[test]
fn many_who_submit_the_same_get_one_record() {
    let database = Database::new("race");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let mut stranger = database.stranger();
            thread::spawn(move || {
                for i in 0..50 {
                    run(&mut stranger, &format!("SELECT signwave_submit('{i}', 'payload {i}')"));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(stored(&mut database.stranger()).len(), 50);
}
