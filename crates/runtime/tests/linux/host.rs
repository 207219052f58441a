//! A sandbox of this test's own: directories, cgroup parent, an image of busybox. Checks on its way out that nothing is
//! left behind.

use runtime::oci::{OciConfig, OciRuntime};
use runtime::{ContainerId, ContainerRun, Exit, Runtime, RuntimeEvent};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use workload::{ContainerSpec, Image, TaskSpec};

const BUSYBOX: &str = "/bin/busybox";

pub struct TestHost {
    pub dir: TempDir,
    pub parent: String,
}

/// `None`, with a word about why, where containers cannot be run.
pub fn host() -> Option<TestHost> {
    if !nix::unistd::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
        eprintln!("SKIPPED: needs root and {BUSYBOX} (scripts/test-deps)");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let parent = format!("slipway-test-{}", std::process::id());
    let host = TestHost { dir, parent };
    host.make_layer();
    Some(host)
}

impl TestHost {
    pub fn layer(&self) -> PathBuf {
        self.dir.path().join("layer")
    }

    fn make_layer(&self) {
        let layer = self.layer();
        for sub in ["bin", "etc", "tmp", "root", "proc", "sys", "dev", "home/app"] {
            std::fs::create_dir_all(layer.join(sub)).unwrap();
        }
        std::fs::copy(BUSYBOX, layer.join("bin/busybox")).unwrap();
        let applets = std::process::Command::new(BUSYBOX).arg("--list").output().unwrap().stdout;
        for applet in String::from_utf8(applets).unwrap().lines().filter(|a| *a != "busybox") {
            symlink("busybox", layer.join("bin").join(applet)).unwrap();
        }
        std::fs::write(layer.join("etc/passwd"), "root::0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\n")
            .unwrap();
        std::fs::write(layer.join("etc/group"), "root:x:0:\napp:x:1001:\nextra:x:7:app\n").unwrap();
    }

    pub fn image(&self) -> Image {
        Image { layers: vec![self.layer()], command: vec!["sh".into()], ..Image::default() }
    }

    pub fn logs(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    /// An agent: its events are its own.
    pub fn agent(&self) -> Agent {
        self.agent_limited(None)
    }

    pub fn agent_with_pids_limit(&self, limit: u64) -> Agent {
        self.agent_limited(Some(limit))
    }

    fn agent_limited(&self, task_pids_limit: Option<u64>) -> Agent {
        let config = OciConfig {
            root: self.dir.path().join("runtime"),
            logs: self.logs(),
            shim_exe: PathBuf::from(env!("CARGO_BIN_EXE_runtime-shim")),
            cgroup_parent: self.parent.clone(),
            task_pids_limit,
        };
        let runtime = OciRuntime::new(config).unwrap();
        Agent { events: runtime.events(), runtime, image: self.image(), logs: self.logs() }
    }

    /// Where a file of a task's or container's cgroup is, on either version.
    pub fn cgroup(&self, controller: &str, path: &str, v1: &str, v2: &str) -> String {
        let unified = Path::new("/sys/fs/cgroup").join(&self.parent).join(path).join(v2);
        let legacy = Path::new("/sys/fs/cgroup").join(controller).join(&self.parent).join(path).join(v1);
        let file = if unified.exists() { unified } else { legacy };
        std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).trim().to_owned()
    }

    pub fn assert_nothing_is_left(&self) {
        let runtime = self.dir.path().join("runtime");
        let sandboxes: Vec<_> = std::fs::read_dir(&runtime).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(sandboxes.is_empty(), "directories: {sandboxes:?}");
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let here = self.dir.path().to_str().unwrap();
        assert!(!mounts.contains(here), "mounts:\n{mounts}");
        assert_eq!(self.cgroups_below_parent(), Vec::<PathBuf>::new(), "cgroups");
        assert_eq!(processes_mentioning(here), Vec::<String>::new(), "processes");
    }

    fn cgroups_below_parent(&self) -> Vec<PathBuf> {
        let dirs = self.parents();
        dirs.iter()
            .flat_map(|dir| std::fs::read_dir(dir).unwrap())
            .map(|e| e.unwrap())
            .filter(|e| e.file_type().unwrap().is_dir())
            .map(|e| e.path())
            .collect()
    }

    fn parents(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let below = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path().join(&self.parent));
        std::iter::once(root.join(&self.parent)).chain(below).filter(|p| p.is_dir()).collect()
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        for parent in self.parents() {
            let _ = std::fs::remove_dir(parent);
        }
    }
}

fn processes_mentioning(text: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|e| std::fs::read(e.ok()?.path().join("cmdline")).ok());
    all.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(text)).collect()
}

pub struct Agent {
    pub runtime: OciRuntime,
    pub events: UnboundedReceiver<RuntimeEvent>,
    image: Image,
    logs: PathBuf,
}

pub fn task(n: u32, containers: Vec<ContainerSpec>) -> TaskSpec {
    TaskSpec { id: format!("{n:032x}"), containers, ..TaskSpec::default() }
}

pub fn shell(name: &str, script: &str) -> ContainerSpec {
    let command = Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
    ContainerSpec { name: name.to_owned(), command, ..ContainerSpec::default() }
}

pub fn id(task: &TaskSpec, container: &str) -> ContainerId {
    ContainerId { task: task.id.clone(), container: container.to_owned() }
}

impl Agent {
    pub fn run_of(&self, task: &Arc<TaskSpec>, container: &str) -> ContainerRun {
        let runtime_id = format!("{}{:0>32}", task.id, hex(container));
        ContainerRun {
            id: id(task, container),
            runtime_id,
            again: false,
            task: task.clone(),
            image: self.image.clone(),
            netns: None,
            binds: Vec::new(),
            hostname: "box".to_owned(),
            hosts: Some("127.0.0.1 localhost\n".to_owned()),
            resolv_conf: Some("nameserver 192.0.2.1\n".to_owned()),
            environment: Vec::new(),
            secrets: Vec::new(),
            files: Vec::new(),
        }
    }

    pub async fn start(&self, task: &Arc<TaskSpec>, container: &str) -> runtime::Result<runtime::Started> {
        self.runtime.start(self.run_of(task, container)).await
    }

    pub async fn exit(&mut self) -> Exit {
        match self.events.recv().await.expect("the runtime lives") {
            RuntimeEvent::Exited { exit, .. } => exit,
            other => panic!("{other:?}"),
        }
    }

    /// Starts one container in a sandbox of its own, waits for its end, and gives back how it ended and what it said.
    pub async fn run(&mut self, task: TaskSpec) -> (Exit, String) {
        let task = Arc::new(task);
        let name = task.containers[0].name.clone();
        self.runtime.open(&task).await.unwrap();
        self.start(&task, &name).await.unwrap();
        let exit = self.exit().await;
        self.runtime.close(&task.id).await.unwrap();
        (exit, self.log(&task.id, &name))
    }

    /// What a container wrote, as plain text.
    pub fn log(&self, task: &str, container: &str) -> String {
        let path = self.logs.join(task).join(format!("{container}.log"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|entry| entry["log"].as_str().unwrap().to_owned()).collect()
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}
