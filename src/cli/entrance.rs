//! The entrance to the dashboard: on a terminal `serve` prints a link that signs in once.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    time::Instant,
};

use zeroize::Zeroizing;

use super::{context::Context, user};
use crate::{
    access::SignInLink,
    config::Listen,
    domain::{Scope, Scopes, TokenName, Who},
    http::{App, Listener, Server, Surface, Terminal},
};

/// How people get into the dashboard.
pub struct Entrance(String);

impl Entrance {
    /// The entrance to what `server` answers; `None` without a dashboard, or where no browser can go.
    pub fn to(server: &Server) -> Option<Self> {
        let is_api = |(_, surface): &&(Listener, Surface)| server.has_dashboard && *surface == Surface::Api;
        let (listener, _) = server.listeners.iter().find(is_api)?;
        let Listen::Tcp(address) = &listener.place else { return None };
        let url = listener.url();
        if !address.ip().is_unspecified() {
            return Some(Self(url));
        }
        // No browser goes to 0.0.0.0, and a certificate is for a name.
        let (scheme, name) = (url.split_once(':')?.0, server.hosts.names.first());
        let host = name.map_or("localhost", String::as_str);
        Some(Self(format!("{scheme}://{host}:{}", address.port())))
    }

    /// Lets `app` admit those who see the terminal, and shows them the link. It is never logged, because others read logs:
    /// without a terminal, the log says only where the dashboard is.
    pub fn open(self, app: &App, context: &Context) {
        let Self(url) = self;
        let mut out: Box<dyn Write> = match (stdout().is_terminal(), stderr().is_terminal()) {
            (true, _) => Box::new(stdout()),
            (false, true) => Box::new(stderr()),
            (false, false) => {
                log::info!(
                    "the dashboard is at {url}/: a token that 'signwave tokens create' makes signs in"
                );
                return;
            }
        };
        let (terminal, code) = terminal();
        app.admit(terminal);
        let line =
            Zeroizing::new(format!("Dashboard: {url}/#sign-in={} (works once, within 5 minutes)\n", *code));
        // Without the link, a token still signs in.
        drop(context.aside_bars(|| out.write_all(line.as_bytes()).and_then(|()| out.flush())));
    }
}

/// A link for the user who sees the terminal, and its code. That user could as well make a token with all scopes.
fn terminal() -> (Terminal, Zeroizing<String>) {
    let (link, code) = SignInLink::issue(Instant::now());
    let user = user::name();
    let name = format!("terminal of {user}").parse::<TokenName>();
    let name = name.or_else(|_| "terminal".parse()).expect("it is a name");
    let scopes = Scopes::of(Scope::ALL).expect("there are scopes");
    (Terminal { link, who: Who::CommandLine(user), name, scopes }, code)
}
