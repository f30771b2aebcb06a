//! A real server whose wall clock the test sets, over a Unix socket.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    os::unix::{fs::FileExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct RealServer {
    child: Child,
    folder: PathBuf,
    clock: File,
    admin: Connection,
    /// The version in the reply to HELLO.
    pub version: String,
    pub is_valkey: bool,
}

impl RealServer {
    /// Starts that program; its clock stands at `now`, in microseconds.
    pub fn start(program: &str, now: u64) -> Self {
        Self::launch(program, program, now, &["--port", "0"], None)
    }

    /// Starts a node of a cluster with these options, which knows what `nodes.conf` says.
    pub fn start_node(program: &str, name: &str, now: u64, options: &[&str], nodes: &str) -> Self {
        Self::launch(program, &format!("{program}-{name}"), now, options, Some(nodes))
    }

    fn launch(program: &str, name: &str, now: u64, options: &[&str], nodes: Option<&str>) -> Self {
        let folder = std::env::temp_dir().join(format!("redlatch-fidelity-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        if let Some(nodes) = nodes {
            fs::write(folder.join("nodes.conf"), nodes).unwrap();
        }
        let clock_path = folder.join("clock");
        let clock = File::create(&clock_path).unwrap();
        clock.write_all_at(&now.to_ne_bytes(), 0).unwrap();
        let socket = folder.join("socket");
        let mut child = Command::new(program)
            .args(options)
            .args(["--save", "", "--appendonly", "no", "--databases", "16"])
            .args(["--daemonize", "no", "--enable-debug-command", "yes"])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(&folder)
            .env("LD_PRELOAD", built_clock(name))
            .env("FIDELITY_CLOCK", &clock_path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut log = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !log.contains("accept connections") {
            assert!(lines.read_line(&mut log).unwrap() > 0, "{program} did not start:\n{log}");
        }
        // Close the pipe, so that further log lines go nowhere: an open pipe that nobody reads would block the server.
        drop(lines);
        let admin = Connection::open(&socket);
        let mut server = Self { child, folder, clock, admin, version: String::new(), is_valkey: false };
        server.command(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
        let info = server.text(&["INFO", "server"]);
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
        };
        // In Valkey, `redis_version` is the version of Redis with which it is compatible.
        let valkey = field("valkey_version:");
        server.is_valkey = valkey.is_some();
        server.version = valkey.or_else(|| field("redis_version:")).unwrap();
        server
    }

    /// What HELLO calls it.
    pub fn name(&self) -> &'static str {
        if self.is_valkey { "valkey" } else { "redis" }
    }

    pub fn set_clock(&self, now: u64) {
        self.clock.write_all_at(&now.to_ne_bytes(), 0).unwrap();
    }

    /// A new connection, and the number that the server knows it by: the largest that there is.
    pub fn connect(&mut self) -> (Connection, u64) {
        let mut connection = Connection::open(&self.folder.join("socket"));
        connection.write(&encode([b"PING".as_slice()]));
        connection.read_line();
        let clients = self.text(&["CLIENT", "LIST"]);
        let ids =
            clients.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next()?.parse().ok());
        (connection, ids.max().unwrap())
    }

    /// Runs a command on a connection of its own, and expects `+OK` or an integer.
    pub fn command(&mut self, words: &[&str]) {
        let line = self.line(words);
        assert!(line.starts_with("+OK") || line.starts_with(':'), "{words:?}: {line}");
    }

    /// Runs a command on a connection of its own, and returns its reply of one line.
    pub fn line(&mut self, words: &[&str]) -> String {
        self.admin.write(&encode(words.iter().map(|word| word.as_bytes())));
        self.admin.read_line().trim_end().to_owned()
    }

    /// Runs a command on a connection of its own, and returns the text that it replies.
    pub fn text(&mut self, words: &[&str]) -> String {
        self.admin.write(&encode(words.iter().map(|word| word.as_bytes())));
        String::from_utf8(self.admin.read_bulk().unwrap()).unwrap()
    }

    /// Runs a command on a connection of its own, and returns the list that it replies.
    pub fn list(&mut self, words: &[&str]) -> Vec<Vec<u8>> {
        self.admin.write(&encode(words.iter().map(|word| word.as_bytes())));
        self.admin.read_array()
    }

    /// Everything in a database: key, type, value in words, expiry in ms (-1 for none).
    pub fn table(&mut self, database: u32) -> Vec<(Vec<u8>, Vec<Vec<u8>>, i64)> {
        self.command(&["SELECT", &database.to_string()]);
        let ask = |admin: &mut Connection, words: &[&[u8]]| admin.write(&encode(words.iter().copied()));
        ask(&mut self.admin, &[b"KEYS", b"*"]);
        let mut keys = self.admin.read_array();
        keys.sort();
        let mut table = Vec::new();
        for key in keys {
            ask(&mut self.admin, &[b"TYPE", &key]);
            let value = match self.admin.read_line().trim_end() {
                "+string" => {
                    ask(&mut self.admin, &[b"GET", &key]);
                    vec![self.admin.read_bulk().unwrap()]
                }
                "+zset" => {
                    ask(&mut self.admin, &[b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"]);
                    self.admin.read_array()
                }
                other => panic!("a key of type {other}"),
            };
            ask(&mut self.admin, &[b"PEXPIRETIME", &key]);
            let expiry = self.admin.read_line();
            table.push((key, value, expiry[1..].trim().parse().unwrap()));
        }
        table
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The shared library with the clock, compiled with the C compiler that Rust links with.
fn built_clock(name: &str) -> PathBuf {
    let file = format!("clock-{}-{name}.so", std::process::id());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fidelity/clock.c");
    let built = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&target, &source])
        .status()
        .expect("cc: the C compiler is needed, to give a real server a clock of our own");
    assert!(built.success(), "cc failed; this test needs Linux");
    target
}

pub fn encode<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    redlatch::resp::encode(&words.into_iter().collect::<Vec<_>>(), &mut out);
    out
}

/// Errors that Valkey 8.0 words differently from Redis 7.0: its words, and those of Redis.
const OTHER_WORDS: [(&str, &str); 4] = [
    ("-NOSCRIPT No matching script.\r\n", "-NOSCRIPT No matching script. Please use EVAL.\r\n"),
    ("-NOPERM User bob has ", "-NOPERM this user has "),
    (
        "-NOPERM No permissions to access a channel",
        "-NOPERM this user has no permissions to access one of the channels used as arguments",
    ),
    ("the HELLO <proto> AUTH", "the HELLO AUTH"),
];

/// An error in the words of Redis 7.0; other lines as they are.
fn in_words_of_redis(line: Vec<u8>) -> Vec<u8> {
    let Some(text) = std::str::from_utf8(&line).ok().filter(|text| text.starts_with('-')) else {
        return line;
    };
    let in_script =
        text.strip_prefix("-ERR ACL failure in script: ").and_then(|text| text.split_once("' command "));
    if let Some((_, script)) = in_script {
        let redis = "-ERR The user executing the script can't run this command or subcommand";
        return format!("{redis} {script}").into_bytes();
    }
    OTHER_WORDS.iter().fold(text.to_owned(), |text, (valkey, redis)| text.replace(valkey, redis)).into_bytes()
}

pub struct Connection(BufReader<UnixStream>);

impl Connection {
    fn open(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// As many lines as `expected` has, or as come until they differ or the server has nothing more to say.
    pub fn read_as_many(&mut self, expected: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < expected.len() && expected.starts_with(&bytes) {
            let mut line = Vec::new();
            let read = self.0.read_until(b'\n', &mut line);
            bytes.extend(in_words_of_redis(line));
            if !matches!(read, Ok(1..)) {
                break;
            }
        }
        bytes
    }

    /// Whether the server ended the connection. It is reset if the server had not read all that was sent.
    pub fn is_over(&mut self) -> bool {
        match self.0.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    fn read_bulk(&mut self) -> Option<Vec<u8>> {
        let header = self.read_line();
        let length: usize = header.strip_prefix('$')?.trim().parse().ok()?;
        let mut text = vec![0; length + 2];
        self.0.read_exact(&mut text).unwrap();
        text.truncate(length);
        Some(text)
    }

    fn read_array(&mut self) -> Vec<Vec<u8>> {
        let header = self.read_line();
        let count: usize = header[1..].trim().parse().unwrap();
        (0..count).map(|_| self.read_bulk().unwrap()).collect()
    }
}
