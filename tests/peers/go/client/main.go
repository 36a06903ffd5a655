// The grpc-go client: runs cases (../../README.md says what each must show) and prints one line for each.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	peers "picogrpc.test/peers/go"
	pb "picogrpc.test/peers/go/peertestpb"
)

const (
	text         = "Grüße ☺ 😈"
	errorMessage = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈, 100% %41 \t\n"
	errorDetail  = "why ☺"
)

var (
	target  = flag.String("target", "", "host:port")
	ca      = flag.String("ca", "", "CA certificate (PEM): use TLS")
	otherCA = flag.String("other-ca", "", "a CA that did not sign the server's certificate")
	peer    = flag.String("peer", "", "who the server is, for its known limits")
	cases   = flag.String("cases", "", "comma separated")
)

type client struct {
	pb.PeerTestClient
	conn *grpc.ClientConn
}

// exchange is one RPC of any kind: what is sent, and what came of it.
type exchange struct {
	requests []*pb.Request
	timeout  time.Duration
	header   metadata.MD
	gzip     bool
	// Cancel once the server has started this call (and replies were seen), without half-closing before.
	cancelID string

	replies     []*pb.Reply
	compressed  []bool // for each reply: did it arrive compressed
	header_     metadata.MD
	trailer     metadata.MD
	err         error
	sendStopped bool
}

func (c *client) run(kind string, x *exchange) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if x.timeout != 0 {
		var cancelTimeout context.CancelFunc
		ctx, cancelTimeout = context.WithTimeout(ctx, x.timeout)
		defer cancelTimeout()
	}
	seen := &peers.Compression{}
	ctx = peers.WithCompression(metadata.NewOutgoingContext(ctx, x.header), seen)
	options := []grpc.CallOption{grpc.Header(&x.header_), grpc.Trailer(&x.trailer)}
	if x.gzip {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	var repliesWanted sync.WaitGroup
	if x.cancelID != "" {
		if kind == "server_stream" || kind == "bidi" {
			repliesWanted.Add(1)
		}
		go func() {
			repliesWanted.Wait()
			c.observe(x.cancelID, func(o *pb.Observation) bool { return o.Started })
			cancel()
		}()
	}
	got := func(reply *pb.Reply) {
		x.replies = append(x.replies, reply)
		x.compressed = append(x.compressed, seen.Received != 0)
		seen.Received = 0
		if x.cancelID != "" && len(x.replies) == 1 {
			repliesWanted.Done()
		}
	}
	sendAll := func(send func(*pb.Request) error, closeSend func() error) {
		for _, request := range x.requests {
			if send(request) != nil {
				x.sendStopped = true
				return
			}
		}
		if x.cancelID == "" {
			closeSend()
		}
	}
	switch kind {
	case "unary":
		var reply *pb.Reply
		if reply, x.err = c.Unary(ctx, x.requests[0], options...); x.err == nil {
			got(reply)
		}
	case "server_stream":
		var stream grpc.ServerStreamingClient[pb.Reply]
		if stream, x.err = c.ServerStream(ctx, x.requests[0], options...); x.err == nil {
			x.err = drain(stream.Recv, got)
			x.header_, _ = stream.Header()
			x.trailer = stream.Trailer()
		}
	case "client_stream":
		var stream grpc.ClientStreamingClient[pb.Request, pb.Reply]
		if stream, x.err = c.ClientStream(ctx, options...); x.err == nil {
			sendAll(stream.Send, func() error { return nil })
			if x.cancelID != "" {
				<-ctx.Done()
			}
			var reply *pb.Reply
			if reply, x.err = stream.CloseAndRecv(); x.err == nil {
				got(reply)
			}
			x.header_, _ = stream.Header()
			x.trailer = stream.Trailer()
		}
	case "bidi":
		var stream grpc.BidiStreamingClient[pb.Request, pb.Reply]
		if stream, x.err = c.Bidi(ctx, options...); x.err == nil {
			sent := make(chan struct{})
			go func() {
				sendAll(stream.Send, stream.CloseSend)
				close(sent)
			}()
			x.err = drain(stream.Recv, got)
			<-sent
			x.header_, _ = stream.Header()
			x.trailer = stream.Trailer()
		}
	}
}

func drain(recv func() (*pb.Reply, error), got func(*pb.Reply)) error {
	for {
		reply, err := recv()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		got(reply)
	}
}

// observe asks the server about a call until the answer is as wanted, for 5 seconds at most.
func (c *client) observe(id string, wanted func(*pb.Observation) bool) (*pb.Observation, error) {
	for range 100 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		o, err := c.Observe(ctx, &pb.ObserveRequest{CallId: id})
		cancel()
		if err != nil {
			return nil, fmt.Errorf("observe: %w", err)
		}
		if wanted(o) {
			return o, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.New("the server never saw it")
}

// script makes the usual requests of a kind: one, or for client streams `count`.
func script(kind string, count int, request *pb.Request) []*pb.Request {
	request.ReplyCount = uint32(count)
	if kind == "unary" || kind == "server_stream" {
		return []*pb.Request{request}
	}
	request.ReplyCount = 1
	return slices.Repeat([]*pb.Request{request}, count)
}

// check compares all replies with what the script says.
func check(kind string, x *exchange) error {
	var want []*pb.Reply
	running := &pb.Reply{DeadlineMs: -1}
	joined := ""
	add := func(request *pb.Request, text string) {
		want = append(want, &pb.Reply{Text: text, Payload: peers.Pattern(int(request.ReplyBytes)),
			Index: uint32(len(want)), ReceivedCount: running.ReceivedCount,
			ReceivedBytes: running.ReceivedBytes, ReceivedSum: running.ReceivedSum})
	}
	last := &pb.Request{}
	for _, request := range x.requests {
		running.ReceivedCount++
		running.ReceivedBytes += uint32(len(request.Payload))
		running.ReceivedSum += peers.Sum(request.Payload)
		joined += request.Text
		last = request
		if kind == "server_stream" || kind == "bidi" {
			for range request.ReplyCount {
				add(request, request.Text)
			}
		}
		if request.Failure != nil {
			break
		}
	}
	if (kind == "unary" || kind == "client_stream") && last.Failure == nil {
		add(last, joined)
	}
	if len(x.replies) != len(want) {
		return fmt.Errorf("%d replies, not %d", len(x.replies), len(want))
	}
	for i, w := range want {
		r := x.replies[i]
		switch {
		case r.Text != w.Text:
			return fmt.Errorf("reply %d: text %q, not %q", i, r.Text, w.Text)
		case !bytes.Equal(r.Payload, w.Payload):
			return fmt.Errorf("reply %d: payload of %d bytes is wrong", i, len(r.Payload))
		case r.Index != w.Index:
			return fmt.Errorf("reply %d: index %d", i, r.Index)
		case r.ReceivedCount != w.ReceivedCount || r.ReceivedBytes != w.ReceivedBytes || r.ReceivedSum != w.ReceivedSum:
			return fmt.Errorf("reply %d: received %d messages, %d bytes, sum %d, not %d, %d, %d", i,
				r.ReceivedCount, r.ReceivedBytes, r.ReceivedSum, w.ReceivedCount, w.ReceivedBytes, w.ReceivedSum)
		case x.timeout == 0 && r.DeadlineMs != -1:
			return fmt.Errorf("reply %d: deadline %d ms where none was set", i, r.DeadlineMs)
		}
	}
	return nil
}

func (c *client) succeed(kind string, x *exchange) error {
	c.run(kind, x)
	if x.err != nil {
		return x.err
	}
	return check(kind, x)
}

func basic(c *client, kind string) (string, error) {
	x := &exchange{requests: script(kind, 5, &pb.Request{Text: text, Payload: peers.Pattern(5), ReplyBytes: 10})}
	if err := c.succeed(kind, x); err != nil {
		return "", err
	}
	if kind == "bidi" {
		if err := c.pingPong(); err != nil {
			return "", err
		}
	}
	x = &exchange{}
	if kind == "unary" || kind == "server_stream" {
		x.requests = []*pb.Request{{}}
	}
	if err := c.succeed(kind, x); err != nil {
		return "", fmt.Errorf("empty: %w", err)
	}
	return "", nil
}

// pingPong sends a message only after the reply to the one before.
func (c *client) pingPong() error {
	stream, err := c.Bidi(context.Background())
	for i := 0; err == nil && i < 5; i++ {
		want := fmt.Sprint("ping ", i)
		if err = stream.Send(&pb.Request{Text: want, ReplyCount: 1}); err == nil {
			var reply *pb.Reply
			if reply, err = stream.Recv(); err == nil && reply.Text != want {
				err = fmt.Errorf("reply %q to %q", reply.Text, want)
			}
		}
	}
	if err != nil {
		return err
	}
	stream.CloseSend()
	if _, err = stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after half-close: %v", err)
	}
	return nil
}

func large(c *client, kind string) (string, error) {
	size, count := 100_000, 20
	if kind == "unary" {
		size, count = 1_000_000, 1
	}
	payload := peers.Pattern(size)
	return "", c.succeed(kind, &exchange{requests: script(kind, count,
		&pb.Request{Text: "x", Payload: payload, ReplyBytes: uint32(size)})})
}

var echoed = metadata.MD{
	"x-echo-ascii":     {"plain, with comma"},
	"x-echo-dup":       {"first", "second", "first"},
	"x-echo-bytes-bin": {"\x00\x01\x02\xff\x00\xfe\x80"},
	"x-echo-dup-bin":   {"\x00", "\x00\x00", "\xff"},
	"x-echo-empty-bin": {""},
}

// checkEcho compares headers with what was sent, and trailers under their longer name.
func checkEcho(header, trailer metadata.MD) (string, error) {
	note := ""
	compare := func(where, key string, got, want []string) error {
		if slices.Equal(got, want) {
			return nil
		}
		if *peer == "node" && len(want) > 1 && strings.Join(got, ", ") == strings.Join(want, ", ") {
			note = "limit: the peer joins the values of one key"
			return nil
		}
		return fmt.Errorf("%s %s: %q, not %q", where, key, got, want)
	}
	for _, key := range slices.Sorted(maps.Keys(echoed)) {
		trailerKey := "x-echo-trailer-" + strings.TrimPrefix(key, "x-echo-")
		if err := compare("header", key, header[key], echoed[key]); err != nil {
			return "", err
		}
		if err := compare("trailer", trailerKey, trailer[trailerKey], echoed[key]); err != nil {
			return "", err
		}
		if len(header[trailerKey]) != 0 || len(trailer[key]) != 0 {
			return "", fmt.Errorf("headers and trailers of %s are mixed up", key)
		}
	}
	return note, nil
}

func metadataCase(c *client, kind string) (string, error) {
	x := &exchange{requests: script(kind, 2, &pb.Request{Text: text}), header: echoed}
	if err := c.succeed(kind, x); err != nil {
		return "", err
	}
	return checkEcho(x.header_, x.trailer)
}

func errorCase(c *client, kind string) (string, error) {
	fail := func(failure *pb.Failure) (*exchange, error) {
		x := &exchange{requests: script(kind, 2, &pb.Request{Text: text}), header: echoed}
		last := &x.requests[len(x.requests)-1]
		*last = &pb.Request{Text: text, ReplyCount: (*last).ReplyCount, Failure: failure}
		c.run(kind, x)
		s := status.Convert(x.err)
		if s.Code() != codes.Code(failure.Code) || s.Message() != failure.Message {
			return nil, fmt.Errorf("status %d %q, not %d %q", s.Code(), s.Message(), failure.Code, failure.Message)
		}
		return x, check(kind, x)
	}
	x, err := fail(&pb.Failure{Code: 9, Message: errorMessage, Detail: errorDetail})
	if err != nil {
		return "", err
	}
	details := status.Convert(x.err).Details()
	if len(details) != 1 {
		return "", fmt.Errorf("details: %v", details)
	}
	if d, ok := details[0].(*pb.Detail); !ok || d.Text != errorDetail {
		return "", fmt.Errorf("detail: %v", details[0])
	}
	p := status.Convert(x.err).Proto()
	if p.Code != 9 || p.Message != errorMessage {
		return "", fmt.Errorf("details repeat status as %d %q", p.Code, p.Message)
	}
	note, err := checkEcho(x.header_, x.trailer)
	if err != nil {
		return "", err
	}
	if x, err = fail(&pb.Failure{Code: 5}); err == nil && len(status.Convert(x.err).Details()) != 0 {
		err = errors.New("details where there are none")
	}
	return note, err
}

// early lets the server end the call while the client still has 10 MB to send.
func early(c *client, kind string) (string, error) {
	x := &exchange{requests: slices.Repeat([]*pb.Request{{Payload: peers.Pattern(50_000)}}, 200)}
	x.requests[0] = &pb.Request{Failure: &pb.Failure{Code: 8, Message: "enough"}}
	c.run(kind, x)
	if s := status.Convert(x.err); s.Code() != 8 || s.Message() != "enough" {
		return "", fmt.Errorf("status %d %q, not 8 \"enough\"", s.Code(), s.Message())
	}
	return "", nil
}

func deadline(c *client, kind string) (string, error) {
	x := &exchange{requests: script(kind, 1, &pb.Request{}), timeout: 30 * time.Second}
	if err := c.succeed(kind, x); err != nil {
		return "", err
	}
	if left := x.replies[0].DeadlineMs; left < 20_000 || left > 31_000 {
		return "", fmt.Errorf("of 30 s the server sees %d ms", left)
	}
	id := newID(kind)
	x = &exchange{requests: script(kind, 1, &pb.Request{CallId: id, Hold: true}), timeout: 700 * time.Millisecond}
	c.run(kind, x)
	if code := status.Code(x.err); code != codes.DeadlineExceeded {
		return "", fmt.Errorf("status %v", x.err)
	}
	o, err := c.observe(id, func(o *pb.Observation) bool { return o.Ended })
	if err != nil {
		return "", err
	}
	if !o.Cancelled || o.DeadlineMs < 1 || o.DeadlineMs > 730 {
		return "", fmt.Errorf("the server saw %v", o)
	}
	return fmt.Sprintf("server saw %d of 700 ms", o.DeadlineMs), nil
}

func cancel(c *client, kind string) (string, error) {
	id := newID(kind)
	hold := kind == "unary" || kind == "server_stream"
	x := &exchange{requests: script(kind, 1, &pb.Request{CallId: id, Hold: hold}), cancelID: id}
	c.run(kind, x)
	if code := status.Code(x.err); code != codes.Canceled {
		return "", fmt.Errorf("status %v", x.err)
	}
	_, err := c.observe(id, func(o *pb.Observation) bool { return o.Ended && o.Cancelled })
	return "", err
}

func gzipCase(c *client, kind string) (string, error) {
	x := &exchange{requests: script(kind, 4, &pb.Request{Text: text, Payload: peers.Pattern(20_000),
		ReplyBytes: 20_000, CompressReplies: true}), gzip: true}
	if err := c.succeed(kind, x); err != nil {
		return "", err
	}
	var notes []string
	sent, got := 0, 0
	for i, reply := range x.replies {
		if reply.SentCompressed != x.compressed[i] {
			return "", fmt.Errorf("reply %d: sent compressed %v, arrived %v", i, reply.SentCompressed, x.compressed[i])
		}
		if reply.SentCompressed {
			got++
		}
		sent = int(reply.ReceivedCompressed)
	}
	if got == 0 && *peer == "node" {
		notes = append(notes, "limit: the peer's server cannot compress")
	} else if got == 0 {
		return "", errors.New("no reply was compressed")
	}
	if !x.replies[0].SeesCompression {
		notes = append(notes, "limit: the peer's server cannot see the flag")
	} else if sent != len(x.requests) {
		return "", fmt.Errorf("the server saw %d of %d requests compressed", sent, len(x.requests))
	}
	return strings.Join(append(notes, fmt.Sprintf("%d of %d replies compressed", got, len(x.replies))), "; "), nil
}

func concurrent(c *client, _ string) (string, error) {
	failed := make(chan error, 100)
	for i := range 100 {
		go func() {
			failed <- c.succeed("unary", &exchange{requests: []*pb.Request{{Text: fmt.Sprint(i), DelayMs: 20}}})
		}()
	}
	var err error
	for range 100 {
		err = errors.Join(err, <-failed)
	}
	return "", err
}

func unimplemented(c *client, _ string) (string, error) {
	_, err := pb.NewNotServedClient(c.conn).Missing(context.Background(), &pb.Request{})
	if status.Code(err) != codes.Unimplemented {
		return "", fmt.Errorf("service: %v", err)
	}
	err = c.conn.Invoke(context.Background(), "/picogrpc.peertest.PeerTest/Missing", &pb.Request{}, &pb.Reply{})
	if status.Code(err) != codes.Unimplemented {
		return "", fmt.Errorf("method: %v", err)
	}
	return "", nil
}

func untrusted(*client, string) (string, error) {
	c, err := dial(*otherCA)
	if err != nil {
		return "", err
	}
	defer c.conn.Close()
	_, err = c.Unary(context.Background(), &pb.Request{})
	if status.Code(err) != codes.Unavailable {
		return "", fmt.Errorf("status %v", err)
	}
	return "", nil
}

func healthCase(c *client, _ string) (string, error) {
	reply, err := healthpb.NewHealthClient(c.conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	if err == nil && reply.Status != healthpb.HealthCheckResponse_SERVING {
		err = fmt.Errorf("%v", reply.Status)
	}
	return "", err
}

var all = map[string]func(c *client, kind string) (string, error){
	"basic": basic, "large": large, "metadata": metadataCase, "error": errorCase, "early": early,
	"deadline": deadline, "cancel": cancel, "gzip": gzipCase, "concurrent": concurrent,
	"unimplemented": unimplemented, "untrusted": untrusted, "health": healthCase,
}

func newID(kind string) string {
	return fmt.Sprintf("go-%d-%s-%d", os.Getpid(), kind, time.Now().UnixNano())
}

func dial(ca string) (*client, error) {
	creds := insecure.NewCredentials()
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		creds = credentials.NewTLS(&tls.Config{RootCAs: pool})
	}
	conn, err := grpc.NewClient(*target, grpc.WithTransportCredentials(creds), grpc.WithStatsHandler(peers.StatsHandler{}))
	if err != nil {
		return nil, err
	}
	return &client{pb.NewPeerTestClient(conn), conn}, nil
}

func main() {
	flag.Parse()
	c, err := dial(*ca)
	if err != nil {
		log.Fatal(err)
	}
	for name := range strings.SplitSeq(*cases, ",") {
		kind, feature, _ := strings.Cut(name, ".")
		run, ok := all[feature]
		if !ok {
			fmt.Println(name, "fail", "this client has no such case")
			continue
		}
		if note, err := run(c, kind); err != nil {
			fmt.Println(name, "fail", strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Println(name, "pass", note)
		}
	}
}
