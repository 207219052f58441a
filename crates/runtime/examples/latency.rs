use runtime::oci::{OciConfig, OciRuntime};
use runtime::*;
use std::sync::Arc;
use std::time::Instant;
use workload::*;

fn p(mut v: Vec<f64>) -> String {
    v.sort_by(|a, b| a.total_cmp(b));
    format!("p50 {:.2} min {:.2} p90 {:.2}", v[v.len() / 2], v[0], v[v.len() * 9 / 10])
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let shim = std::env::args().nth(1).unwrap();
    let n: u32 = std::env::args().nth(2).unwrap().parse().unwrap();
    let gap: u64 = std::env::args().nth(3).unwrap().parse().unwrap();
    let dir = std::path::PathBuf::from("/tmp/latency");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("layer/bin")).unwrap();
    std::fs::copy("/bin/busybox", dir.join("layer/bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", dir.join("layer/bin/true")).unwrap();
    std::os::unix::fs::symlink("busybox", dir.join("layer/bin/sleep")).unwrap();
    let rt = OciRuntime::new(OciConfig { root: dir.join("runtime"), logs: dir.join("logs"), shim_exe: shim.clone().into(), cgroup_parent: "latency".into(), task_pids_limit: None }).unwrap();
    let mut events = rt.events();
    // bare bundle
    let bundle = dir.join("bundle");
    std::fs::create_dir_all(bundle.join("rootfs")).unwrap();
    std::process::Command::new("cp").args(["-a"]).arg(dir.join("layer/bin")).arg(bundle.join("rootfs/")).status().unwrap();
    let config = std::env::args().nth(4);
    let (mut opens, mut starts, mut exits, mut closes, mut bares, mut total) = (vec![], vec![], vec![], vec![], vec![], vec![]);
    for i in 0..n {
        let spec = Arc::new(TaskSpec { id: format!("{i:032x}"), memory_mib: Some(512), cpu_units: Some(256), containers: vec![ContainerSpec { name: "c".into(), command: Some(vec!["true".into()]), ..Default::default() }], ..Default::default() });
        let run = ContainerRun { id: ContainerId { task: spec.id.clone(), container: "c".into() }, runtime_id: format!("{i:064x}"), task: spec.clone(), image: Image { layers: vec![dir.join("layer")], ..Default::default() }, netns: None, binds: vec![], hostname: "h".into(), hosts: None, resolv_conf: None, environment: vec![] };
        let ms = |t: Instant| t.elapsed().as_secs_f64() * 1e3;
        let t = Instant::now();
        rt.open(&spec).await.unwrap();
        opens.push(ms(t));
        let t1 = Instant::now();
        rt.start(run).await.unwrap();
        starts.push(ms(t1));
        total.push(ms(t));
        let t1 = Instant::now();
        events.recv().await.unwrap();
        exits.push(ms(t1));
        let t1 = Instant::now();
        rt.close(&spec.id).await.unwrap();
        closes.push(ms(t1));
        tokio::time::sleep(std::time::Duration::from_millis(gap)).await;
        if let Some(config) = &config {
            std::fs::copy(config, bundle.join("config.json")).unwrap();
            let t1 = Instant::now();
            assert!(std::process::Command::new(&shim).args(["shim", "run"]).arg(&bundle).status().unwrap().success());
            bares.push(ms(t1));
            tokio::time::sleep(std::time::Duration::from_millis(gap)).await;
        }
    }
    println!("open  {}\nstart {}\nopen+start {}\nexit  {}\nclose {}", p(opens), p(starts), p(total), p(exits), p(closes));
    if !bares.is_empty() { println!("bare run incl. exit and delete {}", p(bares)); }
}
