// The interop client and server on connect-go, gRPC protocol:
// interop server PORT plain|tls, interop client CASE HOST PORT plain|tls. A case that passed exits with 0.
package main

import (
	"fmt"
	"net/http"
	"os"

	"picogrpc.test/interop/pb"
)

const (
	initialKey  = "X-Grpc-Test-Echo-Initial"
	trailingKey = "X-Grpc-Test-Echo-Trailing-Bin"
)

func procedure(method string) string { return "/grpc.testing.TestService/" + method }

func zeros(size int32) *pb.Payload { return &pb.Payload{Body: make([]byte, size)} }

func protocols(transport string) *http.Protocols {
	allowed := new(http.Protocols)
	allowed.SetHTTP2(transport == "tls")
	allowed.SetUnencryptedHTTP2(transport != "tls")
	return allowed
}

func main() {
	err := fmt.Errorf("%s: wrong arguments", os.Args[0])
	if len(os.Args) == 4 && os.Args[1] == "server" {
		err = serve(os.Args[2], os.Args[3])
	} else if len(os.Args) == 6 && os.Args[1] == "client" {
		err = call(os.Args[2], os.Args[3]+":"+os.Args[4], os.Args[5])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
