//! More connections than a service takes.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use support::{
    api::Api,
    sandbox::Sandbox,
    waiting::{lasting, timely, until},
};

#[test]
fn health_and_metrics_answer_while_the_api_takes_no_more_connections() {
    let sandbox = Sandbox::migrated();
    let serve = "ulimit -n 600; exec \"$0\" serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0";
    let binary = sandbox.command(&[]).get_program().to_owned();
    let mut command = sandbox.program("sh", &["-c", serve]);
    command.arg(binary);
    let api = Api::of(command, sandbox.path("serve.log"));
    let admin = api.admin();
    let to = api.url.strip_prefix("http://").unwrap();
    // Two thirds of its files are for connections.
    let mut crowd = Vec::new();
    until("the API is full", Duration::from_secs(60), || {
        // Those that say nothing are cut off after five seconds: then it is another crowd's turn.
        crowd.clear();
        crowd.extend((0..420).map(|_| TcpStream::connect(to).unwrap()));
        (0..300).any(|_| {
            lasting(Duration::from_millis(10));
            api.service.open_sockets() >= 400
        })
    });
    for path in ["/health/live", "/metrics"] {
        timely(path, Duration::from_secs(2), || {
            let asked = Instant::now();
            assert!(!admin(path).is_empty());
            asked.elapsed()
        });
    }
    assert!(api.service.open_sockets() <= 410, "{}", api.service.open_sockets());
    drop(crowd);
    assert_eq!(api.get("/health/live", &[]).status(), 200, "there is room again");
}
