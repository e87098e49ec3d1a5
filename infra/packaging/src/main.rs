//! `packaging image package=fn-book program=target/release/fn-book name=carnet/book:0.1.0 to=target/images/book`,
//! `packaging lambda program=target/release/fn-book to=target/lambda/book.zip`, `packaging schedules`, `packaging manifests`, or with
//! queues of SQS `packaging manifests queues='aws-sqs:https://…/carnet-{consumer}?region=…' to=DIRECTORY`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use packaging::manifests::{self, Platform, Queues};
use packaging::{Error, bundle, image, layer};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("packaging: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Error> {
    match arguments.first().map(String::as_str) {
        Some("image") => pack_image(&arguments[1..]),
        Some("lambda") => pack_lambda(&arguments[1..]),
        Some("manifests") => write_manifests(&arguments[1..]),
        Some("schedules") => print_schedules(),
        _ => Err("packaging image, lambda, manifests or schedules: ./just lists the recipes".into()),
    }
}

/// The value of `name=value` among the arguments.
fn argument<'a>(arguments: &'a [String], name: &str) -> Result<&'a str, Error> {
    let value = arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
    value.ok_or_else(|| format!("{name}=… is missing").into())
}

#[expect(clippy::print_stdout, reason = "what was made, for the terminal")]
fn pack_image(arguments: &[String]) -> Result<(), Error> {
    let name = argument(arguments, "name")?;
    let to = PathBuf::from(argument(arguments, "to")?);
    let wish = image::Wish {
        root: Path::new("."),
        package: argument(arguments, "package")?,
        program: Path::new(argument(arguments, "program")?),
        arguments: Vec::new(),
        variables: Vec::new(),
        name,
        compression: 9,
        most: image::MOST,
    };
    let written = image::write(&wish, &to)?;
    layer::bundle(&written.alone, &to.with_extension("tar"))?;
    println!("{name} {} {:.1} MiB {}", written.digest, mib(written.bytes), to.display());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what was made, for the terminal")]
fn pack_lambda(arguments: &[String]) -> Result<(), Error> {
    let to = Path::new(argument(arguments, "to")?);
    let made = bundle::write(Path::new(argument(arguments, "program")?), to)?;
    println!("{} {:.1} MiB {} {}", to.display(), mib(made.bytes), made.architecture, made.glibc);
    Ok(())
}

/// Those of this repository, or a cluster's own with queues.
fn write_manifests(arguments: &[String]) -> Result<(), Error> {
    let functions = manifests::functions(Path::new("."))?;
    let (platforms, queues, to) = if arguments.is_empty() {
        (Platform::ALL.as_slice(), None, "infra/containers")
    } else {
        let queues = Queues::parse(argument(arguments, "queues")?)?;
        (Platform::WITH_QUEUES.as_slice(), Some(queues), argument(arguments, "to")?)
    };
    std::fs::create_dir_all(to)?;
    for platform in platforms {
        let text = manifests::text(*platform, &functions, queues.as_ref())?;
        std::fs::write(Path::new(to).join(platform.file()), text)?;
    }
    Ok(())
}

/// When each function runs by itself, as `EventBridge` Scheduler is told.
#[expect(clippy::print_stdout, reason = "its one purpose")]
fn print_schedules() -> Result<(), Error> {
    let mut all = serde_json::Map::new();
    for function in manifests::functions(Path::new("."))? {
        if let Some(schedule) = &function.schedule {
            all.insert(function.name, runtime::schedule::eventbridge(schedule)?.into());
        }
    }
    println!("{}", serde_json::to_string_pretty(&all)?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size, told in MiB")]
fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
