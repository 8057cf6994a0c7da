//! The command line.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub const HELP: &str = "\
parklink-sandbox: the platforms of a parking lot on loopback

USAGE: parklink-sandbox [OPTIONS]

  --host ADDRESS          address to listen on (127.0.0.1)
  --cloud-port PORT       parking cloud, TCP (6791)
  --bolink-port PORT      Bolink, HTTP (8081)
  --control-port PORT     control API, HTTP (8082)
  --union-port PORT       Bolink's open API, HTTP (8083)
  --etcp-port PORT        ETCP, HTTP (8084)
                          0 lets the kernel pick a port; once one is 0, those that are not named are 0 too
  --ready-file PATH       write the addresses there as JSON once everything listens
  --lots FILE             lots as JSON (see docs/sandbox.md); without it there is one lot:
                          park_id 21782, ckey WERRTTTTYY, union_id 200208, ukey 8403A41ED5EF20BC
  --park-id ID            change the default lot's park_id
  --ckey KEY              … its cloud key
  --union-id ID           … its vendor number
  --ukey KEY              … its vendor key
  --merchant-no NUMBER    ETCP: the merchant's number (9827c6b5c6d94485b912b6e90c92a7ae)
  --merchant-key KEY      … its key (noxxxxx)
  --union-push-url URL    where the open API pushes to (nowhere)
  --etcp-push-url URL     where ETCP pushes to (nowhere)
  --push-speed N          pushes are sent again N times sooner than documented (1)
  --sync-interval SECONDS pause between rounds of scheduled downlinks (120; 0: only on demand)
  --poll-hold SECONDS     how long a long poll is held (30)
  --pay-delay MS          how long an asynchronous payment takes (500)
  --quiet                 log nothing
  --verbose               log messages too
  --help                  this text
  --version               the version
";

/// What the command line says.
#[derive(Debug, Clone)]
pub struct Args {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port of the cloud.
    pub cloud_port: u16,
    /// Port of Bolink.
    pub bolink_port: u16,
    /// Port of the control API.
    pub control_port: u16,
    /// Port of the open API.
    pub union_port: u16,
    /// Port of ETCP.
    pub etcp_port: u16,
    /// ETCP's merchant.
    pub merchant_no: Option<String>,
    /// Its key.
    pub merchant_key: Option<String>,
    /// Where the open API pushes to.
    pub union_push_url: Option<String>,
    /// Where ETCP pushes to.
    pub etcp_push_url: Option<String>,
    /// How many times sooner pushes are sent again.
    pub push_speed: u32,
    /// Where to write the addresses.
    pub ready_file: Option<PathBuf>,
    /// File with the lots.
    pub lots: Option<PathBuf>,
    /// Changes to the default lot: member and value.
    pub lot: Vec<(&'static str, String)>,
    /// Pause between rounds of scheduled downlinks.
    pub sync_interval: Duration,
    /// How long a long poll is held.
    pub poll_hold: Duration,
    /// How long an asynchronous payment takes.
    pub pay_delay: Duration,
    /// 0 quiet, 1 normal, 2 verbose.
    pub level: u8,
}

/// What to do.
pub enum Command {
    /// Serve.
    Serve(Box<Args>),
    /// Print a text and end.
    Print(String),
}

/// Reads the command line (without the program's name).
pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut ports: BTreeMap<String, u16> = BTreeMap::new();
    let mut args = Args {
        host: IpAddr::from([127, 0, 0, 1]),
        cloud_port: 6791,
        bolink_port: 8081,
        control_port: 8082,
        union_port: 8083,
        etcp_port: 8084,
        merchant_no: None,
        merchant_key: None,
        union_push_url: None,
        etcp_push_url: None,
        push_speed: 1,
        ready_file: None,
        lots: None,
        lot: Vec::new(),
        sync_interval: Duration::from_secs(120),
        poll_hold: Duration::from_secs(30),
        pay_delay: Duration::from_millis(500),
        level: 1,
    };
    while let Some(word) = words.next() {
        let (flag, inline) = match word.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        match flag.as_str() {
            "--help" | "-h" => return Ok(Command::Print(HELP.to_owned())),
            "--version" | "-V" => {
                return Ok(Command::Print(format!("parklink-sandbox {}\n", env!("CARGO_PKG_VERSION"))));
            }
            "--quiet" | "-q" => args.level = 0,
            "--verbose" | "-v" => args.level = 2,
            _ => {
                let value = match inline.or_else(|| words.next()) {
                    Some(value) => value,
                    None => return Err(format!("{flag}: a value is missing, or there is no such option (see --help)")),
                };
                match flag.as_str() {
                    "--host" => args.host = value.parse().map_err(|_| format!("--host: `{value}` is no address"))?,
                    port if PORTS.contains(&port) => {
                        ports.insert(port.to_owned(), number(port, &value)?);
                    }
                    "--merchant-no" => args.merchant_no = Some(value),
                    "--merchant-key" => args.merchant_key = Some(value),
                    "--union-push-url" => args.union_push_url = Some(value),
                    "--etcp-push-url" => args.etcp_push_url = Some(value),
                    "--push-speed" => args.push_speed = number(&flag, &value)?,
                    "--ready-file" => args.ready_file = Some(value.into()),
                    "--lots" => args.lots = Some(value.into()),
                    "--park-id" => args.lot.push(("park_id", value)),
                    "--ckey" => args.lot.push(("ckey", value)),
                    "--union-id" => args.lot.push(("union_id", value)),
                    "--ukey" => args.lot.push(("ukey", value)),
                    "--sync-interval" => args.sync_interval = seconds(&flag, &value)?,
                    "--poll-hold" => args.poll_hold = seconds(&flag, &value)?,
                    "--pay-delay" => args.pay_delay = Duration::from_millis(number(&flag, &value)?),
                    _ => return Err(format!("{flag}: there is no such option (see --help)")),
                }
            }
        }
    }
    let kernel_picks = ports.values().any(|port| *port == 0);
    for (name, port) in PORTS.into_iter().zip(args.ports()) {
        match ports.get(name) {
            Some(named) => *port = *named,
            None if kernel_picks => *port = 0,
            None => {}
        }
    }
    Ok(Command::Serve(Box::new(args)))
}

const PORTS: [&str; 5] = ["--cloud-port", "--bolink-port", "--control-port", "--union-port", "--etcp-port"];

impl Args {
    /// As [`PORTS`] has them.
    fn ports(&mut self) -> [&mut u16; 5] {
        let Args { cloud_port, bolink_port, control_port, union_port, etcp_port, .. } = self;
        [cloud_port, bolink_port, control_port, union_port, etcp_port]
    }
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag}: `{value}` is no number in range"))
}

fn seconds(flag: &str, value: &str) -> Result<Duration, String> {
    let seconds: f64 = number(flag, value)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{flag}: `{value}` is no number of seconds"))
}
