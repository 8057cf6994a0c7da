//! The C interface as C programs meet it: headers, exported symbols, and what careless programs can do.
#![cfg(target_os = "linux")]

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A folder with the library under the names that the linker and the loader look for.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    // Cargo puts the shared library beside the test program.
    let test = std::env::current_exe().unwrap();
    let library = test.parent().unwrap().join("libparklink.so");
    assert!(library.exists(), "{} is missing", library.display());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("abi-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["libparklink.so", "libparklink.so.1"] {
        let link = folder.join(name);
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&library, link).unwrap();
    }
    folder
});

fn checked(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// Compiles a program strictly; `language` is what gcc calls it.
fn compile(source: &str, language: &str) -> PathBuf {
    let stem = Path::new(source).file_stem().unwrap().to_str().unwrap();
    let program = LIBRARY.join(format!("{stem}-{language}"));
    let (compiler, kind) = if language.starts_with("c++") { ("g++", "c++") } else { ("gcc", "c") };
    checked(
        Command::new(compiler)
            .args(["-x", kind, &format!("-std={language}"), "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g"])
            .arg(format!("-I{ROOT}/include"))
            .arg(format!("{ROOT}/{source}"))
            .args(["-x", "none", "-o"])
            .arg(&program)
            .arg(format!("-L{}", LIBRARY.display()))
            .args(["-lparklink", "-pthread", "-ldl"]),
    );
    program
}

/// Runs it with an end: what hangs is a failure too.
fn run(program: &Path, words: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.arg("120").arg(program).args(words).env("LD_LIBRARY_PATH", LIBRARY.as_os_str());
    String::from_utf8(checked(&mut command).stdout).unwrap()
}

/// A cloud that logs everyone in, takes every record, and sends a downlink every few milliseconds.
fn busy_cloud() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(&stream));
        }
    });
    port
}

fn serve(stream: &TcpStream) -> Option<()> {
    let say = |mut stream: &TcpStream, text: &str| stream.write_all(format!("\n{text}\r").as_bytes());
    for line in BufReader::new(stream.try_clone().ok()?).lines() {
        let line = line.ok()?;
        if line.contains("0x11") {
            say(stream, "0x12").ok()?;
            continue;
        }
        let message: Value = serde_json::from_str(&line).ok()?;
        let service = message["service_name"].as_str()?;
        if service == "login" {
            let token = "ecde50e2393e43ac8813855745b1849f";
            say(stream, &json!({"state": 1, "token": token, "service_name": "login"}).to_string()).ok()?;
            let sender = stream.try_clone().ok()?;
            thread::spawn(move || {
                for number in 0.. {
                    thread::sleep(Duration::from_millis(10));
                    let order = format!("E{number}");
                    let text = json!({"service_name": "lock_car", "order_id": order, "is_locked": 1, "lock_key": "1"});
                    if say(&sender, &text.to_string()).is_err() {
                        return;
                    }
                }
            });
        } else if service == "lock_car" {
            say(stream, "").ok()?;
        } else {
            let reply = json!({"state": 1, "errmsg": "", "service_name": service, "log_id": message["data"]["log_id"]});
            say(stream, &reply.to_string()).ok()?;
        }
    }
    Some(())
}

/// The functions that a header declares.
fn declared(header: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(format!("{ROOT}/include/{header}")).unwrap();
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.lines()
        .filter(|line| line.ends_with(");") && line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter(|line| !line.starts_with("typedef"))
        .filter_map(|line| line.split('(').next()?.rsplit(|letter| !is_name(letter)).next().map(str::to_owned))
        .collect()
}

#[test]
fn the_library_exports_what_the_headers_declare_and_nothing_else() {
    let output = checked(Command::new("nm").args(["-D", "--defined-only", "-P"]).arg(LIBRARY.join("libparklink.so")));
    let exported: BTreeSet<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    let declared: BTreeSet<String> = declared("parklink.h").union(&declared("upload_util.h")).cloned().collect();
    assert_eq!(exported, declared);
    assert!(exported.contains("parklink_open") && exported.contains("UploadUtilNative_SetReceiveData"));
}

#[test]
fn the_library_has_its_name_and_stays_loaded() {
    let output = checked(Command::new("readelf").arg("-d").arg(LIBRARY.join("libparklink.so")));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("soname: [libparklink.so.1]"), "{text}");
    assert!(text.contains("NODELETE"), "{text}");
}

#[test]
fn the_examples_are_clean_in_three_languages() {
    for example in std::fs::read_dir(format!("{ROOT}/examples-c")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".c") {
            for language in ["c99", "c11", "c++17"] {
                compile(&format!("examples-c/{name}"), language);
            }
        }
    }
}

#[test]
fn careless_programs_get_errors_and_no_crash() {
    let port = busy_cloud().to_string();
    for language in ["c99", "c++17"] {
        let said = run(&compile("tests/c/torture.c", language), &[&port]);
        assert_eq!(said.matches("ok ").count(), 15, "{said}");
    }
}

/// Long form: `RIG_LONG=1` (a minute).
#[test]
fn a_callback_that_does_not_return_holds_up_nothing_else() {
    let seconds = if std::env::var("RIG_LONG").is_ok_and(|value| value == "1") { "60" } else { "3" };
    let said = run(&compile("tests/c/blocked.c", "c99"), &[&busy_cloud().to_string(), seconds]);
    print!("{said}");
    assert!(said.starts_with(&format!("ok blocked for {seconds} s: ")), "{said}");
}

#[test]
fn a_log_callback_may_call_back_for_every_line() {
    let folder = std::env::temp_dir().join(format!("parklink-talking-{}", std::process::id()));
    let words = [&busy_cloud().to_string(), folder.to_str().unwrap()];
    let said = run(&compile("tests/c/talking.c", "c99"), &words);
    assert!(said.starts_with("ok talking: "), "{said}");
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn a_damaged_store_is_told_of() {
    let program = compile("tests/c/damaged.c", "c99");
    for way in ["poll", "callback"] {
        let folder = LIBRARY.join(format!("damaged-{way}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let store = folder.join("parklink-21782.db");
        std::fs::write(&store, "no database at all, and long enough to be none").unwrap();
        let said = run(&program, &[folder.to_str().unwrap(), way]);
        let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (event, status) = (&lines[0], &lines[1]["store"]);
        let is = ["platform", "service_name", "kind"].map(|member| event[member].as_str().unwrap());
        assert_eq!(is, ["parklink", "store_replaced", "notice"]);
        assert_eq!((&event["interface"], &event["event_id"]), (&Value::Null, &json!(0)));
        let data = &event["data"];
        assert_eq!((&data["path"], &status["path"], &data["rows"]), (&json!(store), &json!(store), &json!(0)));
        let old = data["old_file"].as_str().unwrap();
        assert!(std::fs::read_to_string(old).unwrap().starts_with("no database"), "{old}");
        assert_eq!(
            (&status["replaced"]["old_file"], &status["replaced"]["at_ms"]),
            (&data["old_file"], &data["at_ms"])
        );
    }
}

#[test]
fn it_can_be_loaded_and_unloaded_in_a_loop() {
    let library = LIBRARY.join("libparklink.so");
    assert_eq!(run(&compile("tests/c/reload.c", "c11"), &[library.to_str().unwrap()]), "ok reload\n");
}

/// A sandbox of its own on ports of the kernel's choice.
struct Sandbox {
    process: Child,
    ready: PathBuf,
}

impl Sandbox {
    fn start(name: &str) -> Sandbox {
        // It belongs to another package, so this test's build may not have made it.
        checked(Command::new(env!("CARGO")).args(["build", "-q", "-p", "parklink-sandbox"]).current_dir(ROOT));
        let test = std::env::current_exe().unwrap();
        let program = test.parent().and_then(Path::parent).unwrap().join("parklink-sandbox");
        let ready = LIBRARY.join(format!("{name}.json"));
        let ports = ["--cloud-port", "0", "--bolink-port", "0", "--control-port", "0"];
        let mut command = Command::new(program);
        command.args(ports).args(["--quiet", "--pay-delay", "50", "--ready-file"]).arg(&ready);
        let sandbox = Sandbox { process: command.spawn().unwrap(), ready };
        for _ in 0..1000 {
            if sandbox.ready.exists() {
                return sandbox;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the sandbox does not get ready");
    }

    fn ready(&self) -> &str {
        self.ready.to_str().unwrap()
    }

    /// The port of one of its listeners.
    fn port(&self, name: &str) -> u16 {
        let addresses: Value = serde_json::from_slice(&std::fs::read(&self.ready).unwrap()).unwrap();
        addresses[name].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
    }

    /// What the control API answers.
    fn post(&self, path: &str, body: &Value) -> String {
        let (mut stream, body) = (TcpStream::connect(("127.0.0.1", self.port("control"))).unwrap(), body.to_string());
        let head = format!("POST {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {}", body.len());
        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn config(&self) -> String {
        json!({"park_id": "21782", "ckey": "WERRTTTTYY", "cloud_addr": "127.0.0.1", "cport": self.port("cloud")})
            .to_string()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_lots_day_goes_well_through_either_face() {
    let sandbox = Sandbox::start("day");
    for (program, least) in [("lot_day", 40), ("legacy_day", 50)] {
        let said = run(&compile(&format!("examples-c/{program}.c"), "c99"), &[sandbox.ready()]);
        let last = said.lines().last().unwrap();
        let numbers: Vec<u32> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert!(last.starts_with("demo: ") && numbers.len() == 2, "{said}");
        assert!(numbers[0] == numbers[1] && numbers[0] >= least, "{said}");
    }
}

#[test]
fn the_least_program_and_the_polling_one_work() {
    let sandbox = Sandbox::start("least");
    let config = sandbox.config();
    let said = run(&compile("examples-c/minimal.c", "c99"), &[&config]);
    assert!(said.starts_with("ok {") && said.contains(r#""order_id":"minimal_1""#), "{said}");

    let poll = compile("examples-c/poll.c", "c99");
    let polling = thread::spawn(move || run(&poll, &[&config, "1"]));
    let message = json!({"message": {"service_name": "lock_car", "order_id": "7", "is_locked": 1, "lock_key": "1"}});
    let answered = (0..500).any(|_| {
        thread::sleep(Duration::from_millis(20));
        sandbox.post("/downlink?wait_ms=5000", &message).contains(r#""answered":true"#)
    });
    assert!(answered);
    assert!(polling.join().unwrap().contains("lock_car"));
}

#[test]
fn careless_software_of_the_original_sdk_is_answered() {
    let sandbox = Sandbox::start("legacy");
    let program = compile("tests/c/legacy.c", "c11");
    assert_eq!(run(&program, &[sandbox.ready()]), "ok legacy\n");
    let mut command = Command::new("timeout");
    command.arg("120").arg(&program).args([sandbox.ready(), "malloc"]);
    command.env("LD_LIBRARY_PATH", LIBRARY.as_os_str()).env("UPLOADUTIL_STRINGS", "malloc");
    checked(&mut command);
}
