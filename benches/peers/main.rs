//! Measures Weir beside nginx, HAProxy and a bare relay on hyper, before the same stub of the
//! payments API, in one run, and prints the tables of docs/performance.md as Markdown.
//!
//! Run with `cargo bench --bench peers`; with `-- W1 W2` for only these lines, with `-- rounds=5`
//! for more rounds. It needs Linux, and nginx, HAProxy and strace for their columns
//! (`apt-get install nginx-core haproxy strace`, and stop the services that it starts). It takes
//! about five minutes.
//!
//! Every proxy is a process of its own with one worker. Weir runs as shipped, with its log going to
//! a file, but that facts stay fresh. Callers and stub are threads of this process. A figure is the
//! CPU time of the proxy's process for one call: throughput would say how two cores are shared out.
//! The proxies are measured in turn, round by round, and a figure is the least of the rounds,
//! because disturbances only add to it. Compare figures of one run only.

#![allow(missing_docs, reason = "a program")]

mod load;
mod proxies;
#[path = "../parts/relay.rs"]
mod relay;
mod stub;
#[path = "../parts/vendor.rs"]
mod vendor;

use load::{Call, connect, median, send, show_what_is_held};
use proxies::{Proxy, all, fresh_weir};
use std::{
    cell::Cell,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    thread,
};
use stub::Stub;
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot, task::LocalSet};

/// Lines of the first table: a name, what is called, how many calls a round, over how many
/// connections.
const LINES: [(&str, &str, Call, u64, u64); 7] = [
    ("W0", "GET that no rule governs, 4.8 KB", Call::Product, 20_000, 64),
    ("W1", "GET of a checkout, 4.8 KB", Call::Checkout, 20_000, 64),
    ("W2", "accepted attach, each on a checkout of its own", Call::Attach, 20_000, 64),
    ("W3", "refused attach", Call::TooLate, 20_000, 64),
    ("W4", "90 % reads, 8 % attaches, 2 % refused", Call::Mixed, 20_000, 64),
    ("W5d", "1 MiB down", Call::Download, 400, 8),
    ("W5u", "1 MiB up", Call::Upload, 400, 8),
];

struct Bench {
    stub: Stub,
    upstream: u16,
    proxies: Vec<Proxy>,
    rounds: usize,
    /// Numbers calls, so that no checkout is met twice where each is to be new.
    next: Cell<u64>,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, port, upstream] = args.as_slice()
        && flag == "--relay"
    {
        return be_a_relay(number(port), number(upstream));
    }
    // `cargo test` only checks that it compiles.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let wanted: Vec<&String> = args.iter().filter(|arg| arg.starts_with('W')).collect();
    let is_wanted = |line: &str| wanted.is_empty() || wanted.iter().any(|one| *one == line);
    let rounds = args.iter().find_map(|arg| arg.strip_prefix("rounds="));
    let folder = tempfile::tempdir().expect("a folder");
    let stub = Stub::default();
    let upstream = stub.start();
    let bench = Bench {
        proxies: all(upstream, folder.path()),
        stub,
        upstream,
        rounds: rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(3),
        next: Cell::new(0),
    };
    bench.proxies.iter().filter(|one| one.enforces).for_each(|one| show_what_is_held(one.port));
    bench.cpu(&is_wanted);
    if is_wanted("W6") {
        bench.latency();
    }
    if is_wanted("W7") {
        bench.memory(folder.path());
    }
    if is_wanted("W8") {
        bench.system_calls(folder.path());
    }
}

fn number(text: &str) -> u16 {
    text.parse().expect("a port")
}

impl Bench {
    /// Returns the numbers of so many calls that have not been made.
    fn numbers(&self, count: u64) -> std::ops::Range<u64> {
        let first = self.next.replace(self.next.get() + count);
        first..first + count
    }

    fn cpu(&self, is_wanted: &impl Fn(&str) -> bool) {
        let measured: Vec<&Proxy> = self.proxies.iter().skip(1).collect();
        println!(
            "\nµs of CPU for one call, in brackets the ratio to nginx; calls upstream for one.\n"
        );
        print_row(["", "call"].into_iter().chain(measured.iter().map(|one| one.name)));
        print_row(std::iter::repeat_n("---", measured.len() + 2));
        for (name, what, call, count, connections) in LINES {
            if !is_wanted(name) {
                continue;
            }
            let mut least = vec![f64::INFINITY; measured.len()];
            let mut upstream = vec![0.0; measured.len()];
            for _ in 0..self.rounds {
                for (n, proxy) in measured.iter().enumerate() {
                    let (cpu, calls) = (proxy.cpu(), self.stub.calls());
                    send(proxy.port, call, self.numbers(count), connections, proxy.enforces);
                    let per_call = |sum: u64| sum as f64 / count as f64;
                    let spent = proxy.cpu().saturating_sub(cpu);
                    // A thread that has ended takes its time with it.
                    if spent > 0 {
                        least[n] = least[n].min(per_call(spent) / 1_000.0);
                    }
                    upstream[n] = per_call(self.stub.calls() - calls);
                }
            }
            let nginx = measured.iter().position(|one| one.name == "nginx").map(|at| least[at]);
            let cell = |n: usize| {
                let ratio = nginx.map(|nginx| format!(" ({:.2})", least[n] / nginx));
                format!("{:.1}{}, {:.2}", least[n], ratio.unwrap_or_default(), upstream[n])
            };
            let cells = (0..measured.len()).map(cell);
            print_row([name.to_owned(), what.to_owned()].into_iter().chain(cells));
        }
    }

    fn latency(&self) {
        println!(
            "\nMedian time to an answer at 1,000 calls a second, µs; added to the way without a proxy.\n"
        );
        print_row(["W6", "call"].into_iter().chain(self.proxies.iter().map(|one| one.name)));
        print_row(std::iter::repeat_n("---", self.proxies.len() + 2));
        for (what, call) in
            [("GET of a checkout", Call::Checkout), ("accepted attach", Call::Attach)]
        {
            let mut least = vec![u128::MAX; self.proxies.len()];
            for _ in 0..self.rounds {
                for (n, proxy) in self.proxies.iter().enumerate() {
                    let time = median(proxy.port, call, self.numbers(1_000));
                    least[n] = least[n].min(time.as_micros());
                }
            }
            let cell = |n: usize| match n {
                0 => format!("{}", least[0]),
                n => format!("+{}", least[n].saturating_sub(least[0])),
            };
            let cells = (0..least.len()).map(cell);
            print_row([String::new(), what.to_owned()].into_iter().chain(cells));
        }
    }

    fn memory(&self, folder: &Path) {
        const CONNECTIONS: usize = 500;
        const CHECKOUTS: u64 = 100_000;
        let weir = fresh_weir(self.upstream, folder);
        println!("\nMemory.\n");
        print_row(["W7", "idle, MiB", "for an idle connection, bytes", "for a checkout, bytes"]);
        print_row(["---"; 4]);
        let others = self.proxies.iter().skip(1).filter(|one| one.name != "Weir");
        for proxy in others.chain([&weir]) {
            let idle = proxy.memory();
            send(proxy.port, Call::Checkout, self.numbers(5_000), 64, proxy.enforces);
            let before = proxy.memory();
            let open = connect(proxy.port, CONNECTIONS);
            let connection = proxy.memory().saturating_sub(before) / CONNECTIONS as u64;
            drop(open);
            send(proxy.port, Call::Attach, self.numbers(5_000), 64, proxy.enforces);
            let before = proxy.memory();
            send(proxy.port, Call::Attach, self.numbers(CHECKOUTS), 64, proxy.enforces);
            let checkout = proxy.memory().saturating_sub(before) / CHECKOUTS;
            let idle = format!("{:.1}", idle as f64 / 1_048_576.0);
            print_row([proxy.name.to_owned(), idle, connection.to_string(), checkout.to_string()]);
        }
    }

    fn system_calls(&self, folder: &Path) {
        const CALLS: u64 = 500;
        println!("\nSystem calls that carry data, for one call.\n");
        let measured: Vec<&Proxy> = self.proxies.iter().skip(1).collect();
        print_row(["W8", "call"].into_iter().chain(measured.iter().map(|one| one.name)));
        print_row(std::iter::repeat_n("---", measured.len() + 2));
        for (what, call) in [
            ("GET of a checkout", Call::Checkout),
            ("accepted attach", Call::Attach),
            ("refused attach", Call::TooLate),
        ] {
            let cell = |proxy: &&Proxy| {
                let work = || send(proxy.port, call, self.numbers(CALLS), 4, proxy.enforces);
                let counted = proxy.data_calls(folder, work);
                counted.map_or("–".to_owned(), |n| format!("{:.1}", n as f64 / CALLS as f64))
            };
            let cells = measured.iter().map(cell);
            print_row([String::new(), what.to_owned()].into_iter().chain(cells));
        }
    }
}

fn print_row<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) {
    let cells: Vec<String> = cells.into_iter().map(|cell| cell.as_ref().to_owned()).collect();
    println!("| {} |", cells.join(" | "));
}

fn be_a_relay(port: u16, upstream: u16) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a port");
        relay::relay(listener, SocketAddr::from((Ipv4Addr::LOCALHOST, upstream))).await;
    });
}

/// Runs `run` on a new thread with a runtime and a listener, and returns the port.
fn on_a_thread<F: Future<Output = ()>>(
    name: &str,
    run: impl FnOnce(TcpListener) -> F + Send + 'static,
) -> u16 {
    let (tell, told) = oneshot::channel();
    let work = move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            tell.send(listener.local_addr().expect("bound").port()).expect("the starter waits");
            run(listener).await;
        });
    };
    thread::Builder::new().name(name.to_owned()).spawn(work).expect("a thread");
    told.blocking_recv().expect("the thread runs")
}
