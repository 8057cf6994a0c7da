//! The workspace's sandbox, a program of its own.

use crate::child::Ended;
use crate::support::PATIENCE;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub struct Sandbox {
    _program: Ended,
    pub cloud: String,
    pub control: String,
}

impl Sandbox {
    pub fn start(ready: PathBuf) -> Sandbox {
        // It belongs to another package, so this test's build may not have made it.
        let built = Command::new(env!("CARGO")).args(["build", "-q", "-p", "parklink-sandbox"]).status().unwrap();
        assert!(built.success());
        let test = std::env::current_exe().unwrap();
        let path = test.parent().and_then(std::path::Path::parent).unwrap().join("parklink-sandbox");
        let mut command = Command::new(path);
        command.args(["--cloud-port", "0", "--bolink-port", "0", "--control-port", "0", "--quiet", "--ready-file"]);
        let program = Ended(command.arg(&ready).stdin(Stdio::null()).spawn().unwrap());
        crate::support::until("the sandbox is ready", || ready.exists());
        let addresses: Value = serde_json::from_str(&std::fs::read_to_string(&ready).unwrap()).unwrap();
        let address = |name: &str| addresses[name].as_str().unwrap().trim_start_matches("http://").to_owned();
        Sandbox { cloud: address("cloud"), control: address("control"), _program: program }
    }

    pub fn state(&self, part: &str) -> Value {
        self.ask("GET", &format!("/state?parts={part}"), "")
    }

    pub fn fault(&self, fault: &Value) {
        self.ask("POST", "/faults", &fault.to_string());
    }

    pub fn clear(&self) {
        self.ask("DELETE", "/faults", "");
    }

    fn ask(&self, method: &str, page: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        stream.set_read_timeout(Some(PATIENCE * 3)).unwrap();
        let length = body.len();
        let head =
            format!("{method} {page} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}
