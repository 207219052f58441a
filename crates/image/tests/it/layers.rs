//! What becomes of a layer's archive.

use crate::support::archive::{built, tar};
use crate::support::{open, tree};
use expect_test::{Expect, expect};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What lies there after loading an image of these layers, lowest first, or why it was refused.
fn unpacked(layers: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("image.tar");
    std::fs::write(&file, tar(&built(layers).docker_save(&["app:v1"]))).unwrap();
    let store = open(home.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if let Err(error) = store.load(&file).await {
            assert_eq!(store.list().await.unwrap(), []);
            return error.to_string();
        }
        let image = store.ensure("app:v1", None, image::Progress::none()).await.unwrap();
        let lists: Vec<String> = image.layers.iter().map(|layer| tree::list(layer)).collect();
        lists.join("\n--\n")
    })
}

fn check(layers: &[&str], expect: Expect) {
    expect.assert_eq(&unpacked(layers));
}

#[test]
fn everything_keeps_its_owner_mode_and_attributes() {
    check(
        &["d 1777 0:0 tmp
           f 4755 1234:4321 bin/su text of su
           f 644 4000000:7 bin/big-owner x
           c 666 0:0 dev/null 1:3
           b 660 0:6 dev/sda 8:0
           p 600 1:1 run/pipe
           l bin/sh -> ../usr/bin/dash
           f 755 0:0 bin/ping x xattr.user.note=a\\n\\nb
           h bin/ping6 => bin/ping
           d 750 5:5 empty xattr.user.dir=1"],
        expect![[r#"
            d 755 0:0 bin
            f 644 4000000:7 bin/big-owner x
            f 755 0:0 bin/ping x xattr.user.note=a\n\nb
            h bin/ping6 => bin/ping
            l bin/sh -> ../usr/bin/dash
            f 4755 1234:4321 bin/su text of su
            d 755 0:0 dev
            c 666 0:0 dev/null 1:3
            b 660 0:6 dev/sda 8:0
            d 750 5:5 empty xattr.user.dir=1
            d 755 0:0 run
            p 600 1:1 run/pipe
            d 1777 0:0 tmp"#]],
    );
}

#[test]
fn whiteouts_become_overlayfs_marks() {
    check(
        &["d 755 0:0 a\nf 644 0:0 a/x 1\nf 644 0:0 a/y 2", "f 0 0:0 a/.wh.x\nf 0 0:0 a/.wh..wh..opq\nf 0 0:0 .wh..wh.plnk"],
        expect![[r#"
            d 755 0:0 a
            f 644 0:0 a/x 1
            f 644 0:0 a/y 2
            --
            d 755 0:0 a opaque
            w a/x"#]],
    );
}

#[test]
fn a_name_both_hidden_and_made_in_one_layer_is_made() {
    check(&["d 755 0:0 a\nf 644 0:0 a/x 1\nf 0 0:0 .wh.a"], expect!["d 755 0:0 a opaque\nf 644 0:0 a/x 1"]);
    check(&["f 0 0:0 .wh.a\nd 755 0:0 a\nf 644 0:0 a/x 1"], expect!["d 755 0:0 a opaque\nf 644 0:0 a/x 1"]);
    check(&["f 0 0:0 .wh.a\nf 644 0:0 a 1"], expect!["f 644 0:0 a 1"]);
    check(&["f 644 0:0 a 1\nf 0 0:0 .wh.a"], expect!["f 644 0:0 a 1"]);
}

#[test]
fn the_last_entry_of_a_name_wins() {
    check(&["f 644 0:0 a 1\nf 600 1:1 a 2"], expect!["f 600 1:1 a 2"]);
    check(&["d 755 0:0 a\nf 644 0:0 a/b 1\nf 644 0:0 a 2"], expect!["f 644 0:0 a 2"]);
    check(&["d 755 0:0 a/b\nf 644 0:0 a 1\nd 700 0:0 a\nf 644 0:0 a/c 2"], expect!["d 700 0:0 a\nf 644 0:0 a/c 2"]);
    check(&["d 755 0:0 a\nf 644 0:0 a/b 1\nd 700 2:2 a"], expect!["d 700 2:2 a\nf 644 0:0 a/b 1"]);
    check(&["l a -> /etc\nd 755 0:0 a"], expect!["d 755 0:0 a"]);
    check(&["f 644 0:0 a 1\nh b => a\nh b => a\nh a => a"], expect!["f 644 0:0 a 1\nh b => a"]);
}

#[test]
fn directories_a_layer_does_not_list_are_as_in_the_layers_below() {
    check(
        &[
            "d 1777 7:7 tmp\nd 750 8:8 tmp/deep\nd 700 1:1 gone",
            "f 0 0:0 .wh.gone",
            "f 644 0:0 tmp/deep/x 1\nf 644 0:0 gone/x 1\nf 644 0:0 new/x 1",
        ],
        expect![[r#"
            d 700 1:1 gone
            d 1777 7:7 tmp
            d 750 8:8 tmp/deep
            --
            w gone
            --
            d 755 0:0 gone
            f 644 0:0 gone/x 1
            d 755 0:0 new
            f 644 0:0 new/x 1
            d 1777 7:7 tmp
            d 750 8:8 tmp/deep
            f 644 0:0 tmp/deep/x 1"#]],
    );
}

#[test]
fn a_hard_link_to_a_file_below_brings_it_up() {
    check(
        &["d 755 0:0 a\nf 4755 9:9 a/x text", "h b => a/x\nh c => b"],
        expect![[r#"
            d 755 0:0 a
            f 4755 9:9 a/x text
            --
            d 755 0:0 a
            f 4755 9:9 a/x text
            h b => a/x
            h c => a/x"#]],
    );
    check(
        &["f 644 0:0 x 1", "f 0 0:0 .wh.x", "h b => x"],
        expect!["failed to register layer: /b: hard link to x, which is not there"],
    );
    check(
        &["d 755 0:0 a\nf 644 0:0 a/x 1", "f 0 0:0 a/.wh..wh..opq", "h b => a/x"],
        expect!["failed to register layer: /b: hard link to a/x, which is not there"],
    );
}

#[test]
fn long_names_and_odd_ones_are_kept() {
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(200));
    assert_eq!(unpacked(&[&format!("f 644 0:0 {long} 1")]), format!("d 755 0:0 {}\nf 644 0:0 {long} 1", "d".repeat(150)));
    check(&["f 644 0:0 ./a/./b 1\nf 644 0:0 /c 2\nd 711 3:3 ./"], expect!["d 755 0:0 a\nf 644 0:0 a/b 1\nf 644 0:0 c 2"]);
}

#[test]
fn nothing_leaves_the_layer() {
    check(&["f 644 0:0 ../evil 1"], expect!["failed to register layer: ../evil: path out of the image"]);
    check(&["f 644 0:0 a/../../evil 1"], expect!["failed to register layer: a/../../evil: path out of the image"]);
    check(&["h evil => ../../../../etc/passwd"], expect!["failed to register layer: /evil: hard link out of the image"]);
    check(&["h evil => /etc/passwd"], expect!["failed to register layer: /evil: hard link to etc/passwd, which is not there"]);
    check(&["f 0 0:0 a/.wh..."], expect!["failed to register layer: /a/.wh...: whiteout of no name"]);
    // Symbolic links lead where they lead in the container, never where they would on this host.
    check(&["d 755 0:0 etc\nl a -> /etc\nf 644 0:0 a/evil 1"], expect!["l a -> /etc\nd 755 0:0 etc\nf 644 0:0 etc/evil 1"]);
    check(&["l a -> ../../../..\nf 644 0:0 a/evil 1"], expect!["l a -> ../../../..\nf 644 0:0 evil 1"]);
    check(&["l a -> /tmp\nf 644 0:0 a/evil 1"], expect!["failed to register layer: /a/evil: File exists (os error 17)"]);
    check(
        &["l a -> a\nf 644 0:0 a/evil 1"],
        expect!["failed to register layer: /a/evil: Too many levels of symbolic links (os error 40)"],
    );
    check(&["f 644 0:0 a 1\nf 644 0:0 a/evil 1"], expect!["failed to register layer: /a/evil: Not a directory (os error 20)"]);
    check(&["l a -> /etc/passwd\nf 644 0:0 a 1"], expect!["f 644 0:0 a 1"]);
    check(&["l a -> /etc/passwd\nh b => a"], expect!["l a -> /etc/passwd\nh b => a"]);
    check(&["f 644 0:0 a 1 xattr.trusted.overlay.redirect=/../x"], expect!["f 644 0:0 a 1"]);
}

/// A random tree, as `tree::list` writes it, and the same in the order of an archive: any, but links after what they link.
fn random(rng: &mut StdRng) -> (String, String) {
    let mut directories = vec![PathBuf::new()];
    let mut entries: BTreeMap<PathBuf, String> = BTreeMap::new();
    for number in 0..rng.random_range(1..40) {
        let name = format!("{}{number}", ["a", "b.c", "Ü", "d-e"].choose(rng).unwrap());
        let path = directories.choose(rng).unwrap().join(name);
        let what = format!(
            "{:o} {}:{} {}",
            rng.random_range(0..0o10000),
            rng.random_range(0..70000),
            rng.random_range(0..9),
            path.display()
        );
        let line = match rng.random_range(0..8) {
            0 | 1 => {
                directories.push(path.clone());
                format!("d {what}")
            }
            2 => format!("l {} -> {}", path.display(), ["/etc/x", "../../../..", "a0", "."].choose(rng).unwrap()),
            3 => format!("p {what}"),
            4 => format!("c {what} 1:{}", rng.random_range(1..9)),
            5 => format!("f {what} text xattr.user.x=1"),
            _ => format!("f {what} {}", "text".repeat(rng.random_range(0..300))).trim_end().to_owned(),
        };
        entries.insert(path, line);
    }
    let files: Vec<PathBuf> = entries.iter().filter(|(_, line)| line.starts_with('f')).map(|(path, _)| path.clone()).collect();
    let mut archive: Vec<String> = entries.values().cloned().collect();
    archive.shuffle(rng);
    if let Some(file) = files.choose(rng) {
        // In the list the first name is the file and the later one the link.
        let link = file.with_file_name(format!("{}~", file.file_name().unwrap().display()));
        let line = format!("h {} => {}", link.display(), file.display());
        archive.push(line.clone());
        entries.insert(link, line);
    }
    (Vec::from_iter(entries.into_values()).join("\n"), archive.join("\n"))
}

#[test]
fn what_is_unpacked_is_what_was_packed_in_any_order() {
    for seed in 0..60 {
        let (tree, archive) = random(&mut StdRng::seed_from_u64(seed));
        assert_eq!(unpacked(&[&archive]), tree, "seed {seed}");
    }
}
