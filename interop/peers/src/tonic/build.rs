// Rust of the protos of the interop cases, in the folder $INTEROP_PROTO.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::var("INTEROP_PROTO")?;
    println!("cargo:rerun-if-env-changed=INTEROP_PROTO");
    tonic_prost_build::configure().compile_protos(&[format!("{folder}/grpc/testing/test.proto")], &[folder])?;
    Ok(())
}
