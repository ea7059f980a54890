//! The proxies, each a process of its own with one worker, and what such a process takes.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A proxy that runs; it ends when this is dropped.
pub(crate) struct Proxy {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// Whether it refuses what the rules refuse.
    pub(crate) enforces: bool,
    child: Option<Child>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            stop(child);
        }
    }
}

/// Tells a process to stop, and waits for it. nginx's worker goes with its master only if that is
/// told.
fn stop(child: &mut Child) {
    let told = Command::new("kill").arg(child.id().to_string()).status();
    if !told.is_ok_and(|status| status.success()) {
        let _ = child.kill();
    }
    let _ = child.wait();
}

/// Returns those of the proxies that are installed; first the way without one.
pub(crate) fn all(upstream: u16, folder: &Path) -> Vec<Proxy> {
    let mut proxies = vec![Proxy { name: "direct", port: upstream, enforces: false, child: None }];
    for (name, start) in [
        ("nginx", nginx as fn(u16, u16, &Path) -> Command),
        ("HAProxy", haproxy),
        ("relay", relay),
        ("Weir", weir),
    ] {
        match run(name, upstream, folder, start) {
            Some(proxy) => proxies.push(proxy),
            None => println!("{name} is left out: it is not installed, or does not start."),
        }
    }
    proxies
}

/// Starts Weir once more, with nothing remembered.
pub(crate) fn fresh_weir(upstream: u16, folder: &Path) -> Proxy {
    run("Weir", upstream, folder, weir).expect("it was started before")
}

fn run(
    name: &'static str,
    upstream: u16,
    folder: &Path,
    start: fn(u16, u16, &Path) -> Command,
) -> Option<Proxy> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let log = fs::File::create(folder.join(format!("{name}.log"))).expect("a folder of our own");
    let mut command = start(port, upstream, folder);
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
    let mut child = command.spawn().ok()?;
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        let is_over = child.try_wait().is_ok_and(|ended| ended.is_some());
        if is_over || begun.elapsed() > Duration::from_secs(20) {
            stop(&mut child);
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Some(Proxy { name, port, enforces: name == "Weir", child: Some(child) })
}

fn nginx(port: u16, upstream: u16, folder: &Path) -> Command {
    let at = folder.display();
    let config = format!(
        "daemon off;\nworker_processes 1;\npid {at}/nginx.pid;\nerror_log {at}/nginx.err;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  client_max_body_size 0;\n  keepalive_requests 100000000;\n\
         \x20 client_body_temp_path {at}/body;\n  proxy_temp_path {at}/proxy;\n\
         \x20 fastcgi_temp_path {at}/fastcgi;\n  uwsgi_temp_path {at}/uwsgi;\n  scgi_temp_path {at}/scgi;\n\
         \x20 upstream api {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 100000000; }}\n\
         \x20 server {{\n    listen 127.0.0.1:{port};\n    location / {{\n      proxy_pass http://api;\n\
         \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n    }}\n  }}\n}}\n"
    );
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(write(folder, "nginx.conf", &config));
    command
}

fn haproxy(port: u16, upstream: u16, folder: &Path) -> Command {
    let config = format!(
        "global\n  nbthread 1\n  maxconn 8192\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  http-reuse always\n\
         frontend callers\n  bind 127.0.0.1:{port}\n  default_backend api\n\
         backend api\n  server api 127.0.0.1:{upstream} pool-max-conn 256\n"
    );
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(write(folder, "haproxy.cfg", &config));
    command
}

/// The relay is this program itself.
fn relay(port: u16, upstream: u16, _: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--relay", &port.to_string(), &upstream.to_string()]);
    command
}

/// Weir as shipped, with one worker. Facts stay fresh, as the callers take longer than two seconds.
fn weir(port: u16, upstream: u16, folder: &Path) -> Command {
    let config = "[policy]\nmode = \"enforce\"\nfresh-for = \"forever\"\n";
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(["run", "--admin", "off", "--workers", "1"]);
    command.arg("--config").arg(write(folder, "weir.toml", config));
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--upstream", &format!("http://127.0.0.1:{upstream}")]);
    command
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("a folder of our own");
    path
}

impl Proxy {
    /// Its processes: it may have a worker of its own.
    fn processes(&self) -> Vec<u32> {
        let Some(child) = &self.child else { return vec![std::process::id()] };
        let mut found = vec![child.id()];
        let mut next = 0;
        while let Some(process) = found.get(next).copied() {
            for thread in entries(&format!("/proc/{process}/task")) {
                let children = format!("/proc/{process}/task/{thread}/children");
                let children = fs::read_to_string(children).unwrap_or_default();
                found.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            }
            next += 1;
        }
        found
    }

    /// Returns how many nanoseconds its threads have run (Linux).
    pub(crate) fn cpu(&self) -> u64 {
        let of_thread = |process: u32, thread: String| {
            let path = format!("/proc/{process}/task/{thread}/schedstat");
            let stat = fs::read_to_string(path).unwrap_or_default();
            stat.split(' ').next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or_default()
        };
        let of_process = |process: u32| -> u64 {
            let threads = entries(&format!("/proc/{process}/task"));
            threads.into_iter().map(|thread| of_thread(process, thread)).sum()
        };
        self.processes().into_iter().map(of_process).sum()
    }

    /// Returns how many bytes of memory are its own.
    pub(crate) fn memory(&self) -> u64 {
        let of_process = |process: u32| {
            let path = format!("/proc/{process}/smaps_rollup");
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            kilobytes.unwrap_or(0_u64) << 10
        };
        self.processes().into_iter().map(of_process).sum()
    }

    /// Counts the system calls that carry data while `work` runs; `None` where strace does not.
    pub(crate) fn data_calls(&self, folder: &Path, work: impl FnOnce()) -> Option<u64> {
        let out = folder.join("strace.out");
        let _ = fs::remove_file(&out);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-o"]).arg(&out);
        for process in self.processes() {
            strace.args(["-p", &process.to_string()]);
        }
        let quiet = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut tracer = quiet.spawn().ok()?;
        // It says that it is attached on its standard error.
        let mut said = [0; 1];
        let attached = tracer.stderr.as_mut()?;
        std::io::Read::read_exact(attached, &mut said).ok()?;
        thread::sleep(Duration::from_millis(200));
        work();
        Command::new("kill").args(["-INT", &tracer.id().to_string()]).status().ok()?;
        tracer.wait().ok()?;
        let counts = counts(&fs::read_to_string(out).ok()?);
        // It writes nothing where it may not look.
        let sum = DATA_CALLS.iter().filter_map(|name| counts.get(*name)).sum();
        (!counts.is_empty()).then_some(sum)
    }
}

const DATA_CALLS: [&str; 8] =
    ["read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg"];

/// Reads strace's summary: the fourth column is the count, the last one the name.
fn counts(summary: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let count = columns.get(3)?.parse().ok()?;
        Some(((*columns.last()?).to_owned(), count))
    };
    summary.lines().filter_map(line).collect()
}

fn entries(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
