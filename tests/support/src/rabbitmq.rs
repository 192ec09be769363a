//! A RabbitMQ broker of the tests' own: started from the installed programs in a temporary folder, at ports of
//! 127.0.0.1 alone, and gone with the process that wanted it, however that ends.

use std::{
    fs,
    io::Write,
    ops::Deref,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{
    certificates,
    postgres::{Guard, free_port},
    waiting::until,
};

/// Debian's programs, which start no server by themselves. Those in PATH change the user.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Options of Erlang. It listens at this address alone. It does not keep the processor busy while it waits for work, as
/// RabbitMQ advises for machines that do other things, too.
const RUNTIME: &str = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none";

/// The user and its password.
pub const USER: &str = "signwave";
pub const PASSWORD: &str = "never-in-a-log";

/// How long a start may take, on a machine that does other things, too.
const SOON: Duration = Duration::from_secs(120);

/// How long the broker waits for an acknowledgement before it closes the channel. It is half an hour by default.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Broker {
    folder: TempDir,
    ports: Ports,
    server: Mutex<Option<Child>>,
    /// Its node is registered there. RabbitMQ would start one that listens on all addresses, and outlives it.
    epmd: Child,
    #[expect(dead_code, reason = "dropping it ends what is left")]
    guard: Guard,
}

struct Ports {
    amqp: u16,
    tls: u16,
    nodes: u16,
    epmd: u16,
}

impl Broker {
    /// A broker with one user and no queue.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("rabbitmq-").tempdir().unwrap();
        assert!(
            Path::new(PROGRAMS).join("rabbitmq-server").exists(),
            "RabbitMQ is missing: run scripts/install-tools first"
        );
        let ports = Ports { amqp: free_port(), tls: free_port(), nodes: free_port(), epmd: free_port() };
        certificates::for_localhost(folder.path());
        fs::write(folder.path().join("rabbitmq.conf"), settings(folder.path(), &ports)).unwrap();
        let patience = PATIENCE.as_millis();
        let advanced = format!(
            "[{{rabbit, [{{consumer_timeout, {patience}}}, {{channel_tick_interval, 1000}}, {{quorum_tick_interval, 500}}]}}]."
        );
        fs::write(folder.path().join("advanced.config"), advanced).unwrap();
        fs::write(folder.path().join("plugins"), "[].").unwrap();
        let guard = Guard::of_pid_files(folder.path());
        let mut epmd = Command::new("epmd");
        epmd.args(["-address", "127.0.0.1", "-port", &ports.epmd.to_string()]);
        let epmd = quiet(&mut epmd).spawn().expect("epmd is there: run scripts/install-tools first");
        fs::write(folder.path().join("epmd.pid"), format!("{}\n", epmd.id())).unwrap();
        let broker = Self { folder, ports, server: Mutex::new(None), epmd, guard };
        broker.restart();
        broker
    }

    /// Starts it, after [`Broker::kill`].
    pub fn restart(&self) {
        let log = self.folder.path().join("log");
        let file = fs::File::create(&log).unwrap();
        let mut server = self.program("rabbitmq-server");
        server.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let server = server.spawn().unwrap();
        fs::write(self.folder.path().join("server.pid"), format!("{}\n", server.id())).unwrap();
        *self.server.lock().unwrap() = Some(server);
        until("RabbitMQ has started", SOON, || self.log().contains("Server startup complete"));
    }

    /// Kills it at once: what it has not written is lost, except for what the operating system keeps.
    pub fn kill(&self) {
        if let Some(mut server) = self.server.lock().unwrap().take() {
            kill_process(Pid::from_child(&server), Signal::KILL).unwrap();
            server.wait().unwrap();
            fs::remove_file(self.folder.path().join("server.pid")).unwrap(); // another process may get the id
        }
    }

    /// Waits until it has written down that there is this quorum queue, which takes it some seconds (RabbitMQ 3.10). Killed
    /// before that, it loses the queue.
    pub fn until_written(&self, queue: &str) {
        let node = format!("test-{}@localhost", self.ports.nodes);
        let names = self.folder.path().join(format!("data/{node}/quorum/{node}/names.dets"));
        let name = format!("%2F_{queue}");
        until("the queue is written down", SOON, || {
            fs::read(&names).is_ok_and(|bytes| bytes.windows(name.len()).any(|part| part == name.as_bytes()))
        });
    }

    /// Lets it stand still, with all its connections open.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let server = self.server.lock().unwrap();
        kill_process(Pid::from_child(server.as_ref().unwrap()), signal).unwrap();
    }

    /// Lets it use this share of the memory. With less than it has, it takes no messages.
    pub fn limit_memory(&self, share: &str) {
        self.ask(&format!("vm_memory_monitor:set_vm_memory_high_watermark({share}).\n"));
    }

    /// Where a queue is, for `--intake`. `options` are more options, such as `&prefetch=1`.
    pub fn queue(&self, queue: &str, options: &str) -> String {
        self.queue_at(self.ports.amqp, queue, options)
    }

    /// The same behind a proxy.
    pub fn queue_at(&self, port: u16, queue: &str, options: &str) -> String {
        format!("amqp://{USER}:{PASSWORD}@127.0.0.1:{port}/?queue={queue}{options}")
    }

    /// The same with TLS, by a host name that its certificate has.
    pub fn queue_over_tls(&self, queue: &str, options: &str) -> String {
        format!("amqps://{USER}:{PASSWORD}@localhost:{}/?queue={queue}{options}", self.ports.tls)
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("amqp://{USER}:{PASSWORD}@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    /// Where it keeps everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.ports.amqp
    }

    /// The certificate of the authority that vouches for its own.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// The messages of a quorum queue by its own count: those that are ready, and those that are not acknowledged. The
    /// count is half a second old at most.
    pub fn counts(&self, queue: &str) -> (u64, u64) {
        let answer = self.ask(&format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
             [{{_, R}}, {{_, U}}] = rabbit_amqqueue:info(Q, [messages_ready, messages_unacknowledged]), {{R, U}}.\n"
        ));
        let numbers = answer.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
        let [ready, unacknowledged] = numbers.collect::<Vec<_>>()[..] else { panic!("no counts: {answer}") };
        (ready, unacknowledged)
    }

    /// The answer to a question in Erlang.
    fn ask(&self, question: &str) -> String {
        let cookie = fs::read_to_string(self.folder.path().join(".erlang.cookie")).unwrap();
        let mut ask = Command::new("erl_call"); // rabbitmqctl asks the same, and takes seconds
        ask.args(["-address", &format!("127.0.0.1:{}", self.ports.nodes), "-c", &cookie, "-e"]);
        let mut ask = ask.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        ask.stdin.take().unwrap().write_all(question.as_bytes()).unwrap();
        String::from_utf8(ask.wait_with_output().unwrap().stdout).unwrap()
    }

    /// All that it has logged since its last start.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// One of its programs. Nothing of the system's configuration reaches it.
    fn program(&self, name: &str) -> Command {
        let (folder, ports) = (self.folder.path(), &self.ports);
        let path = |name: &str| folder.join(name).into_os_string();
        let mut command = Command::new(Path::new(PROGRAMS).join(name));
        command.current_dir(folder).env("HOME", folder).env("LC_ALL", "C.UTF-8");
        command.env("RABBITMQ_NODENAME", format!("test-{}@localhost", ports.nodes));
        command.env("RABBITMQ_DIST_PORT", ports.nodes.to_string());
        command.env("ERL_EPMD_ADDRESS", "127.0.0.1").env("ERL_EPMD_PORT", ports.epmd.to_string());
        command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", RUNTIME);
        command.env("RABBITMQ_CONF_ENV_FILE", "/dev/null");
        command.env("RABBITMQ_MNESIA_BASE", path("data")).env("RABBITMQ_LOG_BASE", path("logs"));
        command.env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"));
        command.env("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config"));
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"));
        // The script then becomes the server, instead of waiting for it.
        command.env("RUNNING_UNDER_SYSTEMD", "true");
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        let _ = self.epmd.kill(); // it may have ended
        let _ = self.epmd.wait();
    }
}

/// The broker that all tests share, because it takes long to start. It is one test's own for a while, because some kill
/// it.
pub struct OneBroker(#[expect(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

impl OneBroker {
    pub fn take() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        Self(TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for OneBroker {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("RabbitMQ since its last start, without what it does every day:");
            self.log().lines().filter(|line| !line.contains("[info]")).for_each(|line| println!("  {line}"));
        }
    }
}

impl Deref for OneBroker {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        // Statics are never dropped: the guard ends it when this process ends.
        static SHARED: LazyLock<Broker> = LazyLock::new(Broker::start);
        &SHARED
    }
}

fn settings(folder: &Path, ports: &Ports) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    format!(
        "listeners.tcp.1 = 127.0.0.1:{}\nlisteners.ssl.1 = 127.0.0.1:{}\n\
         ssl_options.certfile = {}\nssl_options.keyfile = {}\n\
         default_user = {USER}\ndefault_pass = {PASSWORD}\n\
         log.file = false\nlog.console = true\nlog.console.level = info\n",
        ports.amqp,
        ports.tls,
        path("server.pem"),
        path("server.key"),
    )
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}
