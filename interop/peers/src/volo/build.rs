// Rust of the protos of the interop cases, in the folder $INTEROP_PROTO.
fn main() {
    let folder = std::path::PathBuf::from(std::env::var("INTEROP_PROTO").expect("INTEROP_PROTO"));
    println!("cargo:rerun-if-env-changed=INTEROP_PROTO");
    volo_build::Builder::protobuf()
        .add_service(folder.join("grpc/testing/test.proto"))
        .include_dirs(vec![folder])
        .write()
        .expect("the protos");
}
