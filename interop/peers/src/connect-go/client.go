package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"picogrpc.test/interop/pb"
)

type (
	simpleClient = connect.Client[pb.SimpleRequest, pb.SimpleResponse]
	streamClient = connect.Client[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]
	duplexStream = connect.BidiStreamForClient[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]
)

var (
	requestSizes = []int32{27182, 8, 1828, 45904}
	replySizes   = []int32{31415, 9, 2653, 58979}
)

// A channel, as other implementations call it.
type channel struct {
	http *http.Client
	url  string
}

func open(target, transport string) (channel, error) {
	made := &http.Transport{Protocols: protocols(transport)}
	if transport != "tls" {
		return channel{&http.Client{Transport: made}, "http://" + target}, nil
	}
	ca, err := os.ReadFile(os.Getenv("INTEROP_TLS") + "/ca.pem")
	made.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "foo.test.google.fr"}
	made.TLSClientConfig.RootCAs.AppendCertsFromPEM(ca)
	return channel{&http.Client{Transport: made}, "https://" + target}, err
}

func on[Request, Reply any](c channel, method string, options ...connect.ClientOption) *connect.Client[Request, Reply] {
	return connect.NewClient[Request, Reply](c.http, c.url+method, append(options, connect.WithGRPC())...)
}

func (c channel) unary() *simpleClient {
	return on[pb.SimpleRequest, pb.SimpleResponse](c, procedure("UnaryCall"))
}

func (c channel) streams(method string) *streamClient {
	return on[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse](c, procedure(method))
}

func expect(found bool, format string, arguments ...any) error {
	if found {
		return nil
	}
	return fmt.Errorf(format, arguments...)
}

func expectBody(payload *pb.Payload, size int32) error {
	return expect(bytes.Equal(payload.GetBody(), make([]byte, size)), "not a body of %d zeros", size)
}

func expectCode(err error, code connect.Code) error {
	return expect(err != nil && connect.CodeOf(err) == code, "%v, expected %v", err, code)
}

func expectStatus(err error, code connect.Code, message string) error {
	var status *connect.Error
	return expect(errors.As(err, &status) && status.Code() == code && status.Message() == message, "%v, expected %v: %s", err, code, message)
}

func simple(size, payload int32) *pb.SimpleRequest {
	return &pb.SimpleRequest{ResponseSize: size, Payload: zeros(payload)}
}

func large() *pb.SimpleRequest { return simple(314159, 271828) }

func one(ctx context.Context, client *simpleClient, request *pb.SimpleRequest) error {
	reply, err := client.CallUnary(ctx, connect.NewRequest(request))
	if err != nil {
		return err
	}
	return expectBody(reply.Msg.Payload, request.ResponseSize)
}

func wanted(payload int32, sizes ...int32) *pb.StreamingOutputCallRequest {
	request := &pb.StreamingOutputCallRequest{Payload: zeros(payload)}
	for _, size := range sizes {
		request.ResponseParameters = append(request.ResponseParameters, &pb.ResponseParameters{Size: size})
	}
	return request
}

func next(stream *duplexStream, size int32) error {
	reply, err := stream.Receive()
	if err != nil {
		return err
	}
	return expectBody(reply.Payload, size)
}

func end(stream *duplexStream) error {
	_, err := stream.Receive()
	return expect(errors.Is(err, io.EOF), "%v, expected the end", err)
}

// Sends all the requests, closes, and expects the replies.
func exchange(stream *duplexStream, sizes []int32, requests ...*pb.StreamingOutputCallRequest) error {
	for _, request := range requests {
		if err := stream.Send(request); err != nil {
			return err
		}
	}
	if err := stream.CloseRequest(); err != nil {
		return err
	}
	for _, size := range sizes {
		if err := next(stream, size); err != nil {
			return err
		}
	}
	return end(stream)
}

func pingPong(stream *duplexStream) error {
	for i, size := range replySizes {
		if err := stream.Send(wanted(requestSizes[i], size)); err != nil {
			return err
		}
		if err := next(stream, size); err != nil {
			return err
		}
	}
	stream.CloseRequest()
	return end(stream)
}

// Replies to one request; |after| is run after each.
func serverStreaming(ctx context.Context, c channel, sizes []int32, after func(i int) error) error {
	stream, err := c.streams("StreamingOutputCall").CallServerStream(ctx, connect.NewRequest(wanted(0, sizes...)))
	if err != nil {
		return err
	}
	for i, size := range sizes {
		if !stream.Receive() {
			return fmt.Errorf("reply %d is missing: %v", i, stream.Err())
		}
		if err := expectBody(stream.Msg().Payload, size); err != nil {
			return err
		}
		if err := after(i); err != nil {
			return err
		}
	}
	return expect(!stream.Receive() && stream.Err() == nil, "no clean end: %v", stream.Err())
}

func clientStreaming(ctx context.Context, c channel) error {
	stream := on[pb.StreamingInputCallRequest, pb.StreamingInputCallResponse](c, procedure("StreamingInputCall")).CallClientStream(ctx)
	for _, size := range requestSizes {
		if err := stream.Send(&pb.StreamingInputCallRequest{Payload: zeros(size)}); err != nil {
			return err
		}
	}
	reply, err := stream.CloseAndReceive()
	if err != nil {
		return err
	}
	return expect(reply.Msg.AggregatedPayloadSize == 74922, "%d bytes came together", reply.Msg.AggregatedPayloadSize)
}

func clientCompressed(ctx context.Context, c channel, probe bool) error {
	request := large()
	request.ExpectCompressed = &pb.BoolValue{Value: true}
	if probe {
		if err := expectCode(one(ctx, c.unary(), request), connect.CodeInvalidArgument); err != nil {
			return err
		}
	}
	gzip := on[pb.SimpleRequest, pb.SimpleResponse](c, procedure("UnaryCall"), connect.WithSendGzip())
	if err := one(ctx, gzip, request); err != nil {
		return err
	}
	request.ExpectCompressed.Value = false
	return one(ctx, c.unary(), request)
}

func customMetadata(ctx context.Context, c channel) error {
	value, binary := "test_initial_metadata_value", connect.EncodeBinaryHeader([]byte{0xab, 0xab, 0xab})
	echoed := func(header, trailer http.Header) error {
		got, err := connect.DecodeBinaryHeader(trailer.Get(trailingKey))
		right := err == nil && bytes.Equal(got, []byte{0xab, 0xab, 0xab}) && header.Get(initialKey) == value
		return expect(right, "headers %v, trailers %v", header, trailer)
	}
	request := connect.NewRequest(large())
	request.Header().Set(initialKey, value)
	request.Header().Set(trailingKey, binary)
	reply, err := c.unary().CallUnary(ctx, request)
	if err != nil {
		return err
	}
	if err := echoed(reply.Header(), reply.Trailer()); err != nil {
		return err
	}
	stream := c.streams("FullDuplexCall").CallBidiStream(ctx)
	stream.RequestHeader().Set(initialKey, value)
	stream.RequestHeader().Set(trailingKey, binary)
	if err := exchange(stream, []int32{314159}, wanted(271828, 314159)); err != nil {
		return err
	}
	return echoed(stream.ResponseHeader(), stream.ResponseTrailer())
}

func statusCodeAndMessage(ctx context.Context, c channel) error {
	status := &pb.EchoStatus{Code: 2, Message: "test status message"}
	_, err := c.unary().CallUnary(ctx, connect.NewRequest(&pb.SimpleRequest{ResponseStatus: status}))
	if err := expectStatus(err, connect.CodeUnknown, status.Message); err != nil {
		return err
	}
	stream := c.streams("FullDuplexCall").CallBidiStream(ctx)
	if err := stream.Send(&pb.StreamingOutputCallRequest{ResponseStatus: status}); err != nil {
		return err
	}
	stream.CloseRequest()
	_, err = stream.Receive()
	return expectStatus(err, connect.CodeUnknown, status.Message)
}

// Cancels a call of FullDuplexCall when |wait| returns.
func cancelled(ctx context.Context, c channel, wait func(stream *duplexStream) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream := c.streams("FullDuplexCall").CallBidiStream(ctx)
	if err := wait(stream); err != nil {
		return err
	}
	cancel()
	_, err := stream.Receive()
	return expectCode(err, connect.CodeCanceled)
}

func afterFirst(request, reply int32) func(stream *duplexStream) error {
	return func(stream *duplexStream) error {
		if err := stream.Send(wanted(request, reply)); err != nil {
			return err
		}
		return next(stream, reply)
	}
}

func largeHeader(ctx context.Context, c channel) error {
	request := connect.NewRequest(&pb.SimpleRequest{})
	value := strings.Repeat("abcdefghijklmnop", 63<<10/16)
	request.Header().Set(initialKey, value)
	reply, err := c.unary().CallUnary(ctx, request)
	if err != nil {
		return err
	}
	return expect(reply.Header().Get(initialKey) == value, "the header is another one")
}

func repeat(count int, what func(i int) error) error {
	for i := range count {
		if err := what(i); err != nil {
			return err
		}
	}
	return nil
}

// |count| at a time; the first failure.
func together(count int, what func() error) error {
	failures := make(chan error, count)
	for range count {
		go func() { failures <- what() }()
	}
	return repeat(count, func(int) error { return <-failures })
}

func soak(ctx context.Context, take func() (channel, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return together(2, func() error {
		return repeat(10, func(int) error {
			c, err := take()
			if err != nil {
				return err
			}
			began := time.Now()
			if err := one(ctx, c.unary(), large()); err != nil {
				return err
			}
			return expect(time.Since(began) < 10*time.Second, "an iteration took too long")
		})
	})
}

func call(name, target, transport string) error {
	c, err := open(target, transport)
	if err != nil {
		return err
	}
	if err := run(name, c, func() (channel, error) { return open(target, transport) }); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func run(name string, c channel, again func() (channel, error)) error {
	limit := 30 * time.Second
	switch name {
	case "concurrent_large_unary", "slow_consumer", "many_calls", "rpc_soak", "channel_soak":
		limit = 140 * time.Second
	case "timeout_on_sleeping_server":
		limit = time.Millisecond
	case "timeout_in_time":
		limit = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	nothing := func(int) error { return nil }
	fullDuplex := func() *duplexStream { return c.streams("FullDuplexCall").CallBidiStream(ctx) }
	unimplemented := func(service string) error {
		_, err := on[pb.Empty, pb.Empty](c, service+"/UnimplementedCall").CallUnary(ctx, connect.NewRequest(&pb.Empty{}))
		return expectCode(err, connect.CodeUnimplemented)
	}

	switch name {
	case "empty_unary":
		_, err := on[pb.Empty, pb.Empty](c, procedure("EmptyCall")).CallUnary(ctx, connect.NewRequest(&pb.Empty{}))
		return err
	case "large_unary":
		return one(ctx, c.unary(), large())
	case "very_large_request":
		return one(ctx, c.unary(), simple(10, 10<<20))
	case "very_large_response":
		return one(ctx, c.unary(), simple(10<<20, 10))
	case "concurrent_large_unary":
		return together(1000, func() error { return one(ctx, c.unary(), large()) })
	case "client_compressed_unary":
		return clientCompressed(ctx, c, true)
	case "client_compressed_unary_noprobe":
		return clientCompressed(ctx, c, false)
	case "client_streaming":
		return clientStreaming(ctx, c)
	case "server_streaming":
		return serverStreaming(ctx, c, replySizes, nothing)
	case "slow_consumer":
		sizes := make([]int32, 2000)
		for i := range sizes {
			sizes[i] = 1030
		}
		return serverStreaming(ctx, c, sizes, func(int) error { time.Sleep(20 * time.Millisecond); return nil })
	case "ping_pong":
		return pingPong(fullDuplex())
	case "empty_stream":
		return exchange(fullDuplex(), nil)
	case "half_duplex":
		return exchange(c.streams("HalfDuplexCall").CallBidiStream(ctx), replySizes,
			wanted(0, replySizes[0]), wanted(0, replySizes[1]), wanted(0, replySizes[2]), wanted(0, replySizes[3]))
	case "custom_metadata":
		return customMetadata(ctx, c)
	case "status_code_and_message":
		return statusCodeAndMessage(ctx, c)
	case "special_status_message":
		status := &pb.EchoStatus{Code: 2, Message: "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"}
		return expectStatus(one(ctx, c.unary(), &pb.SimpleRequest{ResponseStatus: status}), connect.CodeUnknown, status.Message)
	case "unimplemented_method":
		return unimplemented("/grpc.testing.TestService")
	case "unimplemented_service":
		return unimplemented("/grpc.testing.UnimplementedService")
	case "cancel_after_begin":
		ctx, cancel := context.WithCancel(ctx)
		stream := on[pb.StreamingInputCallRequest, pb.StreamingInputCallResponse](c, procedure("StreamingInputCall")).CallClientStream(ctx)
		cancel()
		_, err := stream.CloseAndReceive()
		return expectCode(err, connect.CodeCanceled)
	case "cancel_after_first_response":
		return cancelled(ctx, c, afterFirst(27182, 31415))
	case "cancel_before_start":
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return expectCode(one(ctx, c.unary(), large()), connect.CodeCanceled)
	case "cancel_after_headers":
		return cancelled(ctx, c, func(stream *duplexStream) error {
			stream.RequestHeader().Set(initialKey, "now")
			if err := stream.Send(nil); err != nil {
				return err
			}
			return expect(stream.ResponseHeader().Get(initialKey) == "now", "the headers do not come")
		})
	case "timeout_on_sleeping_server":
		stream := fullDuplex()
		stream.Send(wanted(27182))
		_, err := stream.Receive()
		return expectCode(err, connect.CodeDeadlineExceeded)
	case "timeout_in_time":
		return exchange(fullDuplex(), []int32{314159}, wanted(271828, 314159))
	case "client_pushback":
		sizes := make([]int32, 256)
		for i := range sizes {
			sizes[i] = 64 << 10
		}
		return serverStreaming(ctx, c, sizes, func(i int) error {
			if i > 0 {
				return nil
			}
			return repeat(20, func(int) error { return one(ctx, c.unary(), large()) })
		})
	case "large_header":
		return largeHeader(ctx, c)
	case "many_calls":
		return repeat(4000, func(i int) error {
			if i%4 == 0 {
				return cancelled(ctx, c, afterFirst(8, 9))
			}
			return one(ctx, c.unary(), simple(9, 8))
		})
	case "rpc_soak":
		return soak(ctx, func() (channel, error) { return c, nil })
	case "channel_soak":
		return soak(ctx, again)
	case "long_lived_channel":
		return repeat(3, func(i int) error {
			time.Sleep(time.Duration(min(i, 1)) * time.Second)
			return one(ctx, c.unary(), large())
		})
	}
	return errors.New("there is no such case")
}
