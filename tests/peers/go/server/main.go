// The grpc-go server: does what each request's script says (../../peertest.proto).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	peers "picogrpc.test/peers/go"
	pb "picogrpc.test/peers/go/peertestpb"
)

type server struct {
	pb.UnimplementedPeerTestServer
	mutex    sync.Mutex
	observed map[string]*pb.Observation
}

// call is the state of one RPC on the server.
type call struct {
	server   *server
	ctx      context.Context
	id       string
	deadline int64
	started  bool
	compress bool
	count    uint32
	bytes    uint32
	sum      uint32
	index    uint32
	text     strings.Builder
}

func (s *server) begin(ctx context.Context) (*call, error) {
	c := &call{server: s, ctx: ctx, deadline: -1}
	if until, ok := ctx.Deadline(); ok {
		c.deadline = time.Until(until).Milliseconds()
	}
	header, trailer := metadata.MD{}, metadata.MD{}
	incoming, _ := metadata.FromIncomingContext(ctx)
	for key, values := range incoming {
		if name, ok := strings.CutPrefix(key, "x-echo-"); ok {
			header[key] = values
			trailer["x-echo-trailer-"+name] = values
		}
	}
	if err := grpc.SetHeader(ctx, header); err != nil {
		return nil, err
	}
	return c, grpc.SetTrailer(ctx, trailer)
}

func (c *call) receive(request *pb.Request) error {
	if !c.started {
		c.started = true
		c.id = request.CallId
		c.compress = request.CompressReplies
		c.observe(func(o *pb.Observation) { o.Started, o.DeadlineMs = true, c.deadline })
		name := "identity"
		if c.compress {
			name = "gzip"
		}
		if err := grpc.SetSendCompressor(c.ctx, name); err != nil {
			return err
		}
	}
	c.count++
	c.bytes += uint32(len(request.Payload))
	c.sum += peers.Sum(request.Payload)
	c.text.WriteString(request.Text)
	return nil
}

// reply waits the scripted delay and makes the next reply.
func (c *call) reply(request *pb.Request, text string) *pb.Reply {
	select {
	case <-time.After(time.Duration(request.DelayMs) * time.Millisecond):
	case <-c.ctx.Done():
	}
	c.index++
	return &pb.Reply{
		Text: text, Payload: peers.Pattern(int(request.ReplyBytes)), Index: c.index - 1,
		ReceivedCount: c.count, ReceivedBytes: c.bytes, ReceivedSum: c.sum, DeadlineMs: c.deadline,
		SeesCompression: true, ReceivedCompressed: peers.CompressionOf(c.ctx).Received,
		SentCompressed: c.compress,
	}
}

// finish does the last steps of a request's script: hold, fail.
func (c *call) finish(request *pb.Request) error {
	if request.Hold {
		select {
		case <-c.ctx.Done():
			return status.FromContextError(c.ctx.Err()).Err()
		case <-time.After(10 * time.Second):
		}
	}
	failure := request.Failure
	if failure == nil {
		return nil
	}
	s := status.New(codes.Code(failure.Code), failure.Message)
	if failure.Detail != "" {
		var err error
		if s, err = s.WithDetails(&pb.Detail{Text: failure.Detail}); err != nil {
			return err
		}
	}
	return s.Err()
}

func (c *call) end() {
	c.observe(func(o *pb.Observation) { o.Ended, o.Cancelled = true, c.ctx.Err() != nil })
}

func (c *call) observe(change func(*pb.Observation)) {
	if c.id == "" {
		return
	}
	c.server.mutex.Lock()
	defer c.server.mutex.Unlock()
	o := c.server.observed[c.id]
	if o == nil {
		o = &pb.Observation{}
		c.server.observed[c.id] = o
	}
	change(o)
}

func (s *server) Unary(ctx context.Context, request *pb.Request) (*pb.Reply, error) {
	c, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer c.end()
	if err = c.receive(request); err != nil {
		return nil, err
	}
	reply := c.reply(request, request.Text)
	return reply, c.finish(request)
}

func (s *server) ServerStream(request *pb.Request, stream grpc.ServerStreamingServer[pb.Reply]) error {
	c, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer c.end()
	if err = c.receive(request); err != nil {
		return err
	}
	return c.sendReplies(request, stream.Send)
}

func (c *call) sendReplies(request *pb.Request, send func(*pb.Reply) error) error {
	for range request.ReplyCount {
		if err := send(c.reply(request, request.Text)); err != nil {
			return err
		}
	}
	return c.finish(request)
}

func (s *server) ClientStream(stream grpc.ClientStreamingServer[pb.Request, pb.Reply]) error {
	c, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer c.end()
	last := &pb.Request{}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(c.reply(last, c.text.String()))
		} else if err != nil {
			return err
		}
		if err = c.receive(request); err != nil {
			return err
		}
		if err = c.finish(request); err != nil {
			return err
		}
		last = request
	}
}

func (s *server) Bidi(stream grpc.BidiStreamingServer[pb.Request, pb.Reply]) error {
	c, err := s.begin(stream.Context())
	if err != nil {
		return err
	}
	defer c.end()
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err = c.receive(request); err != nil {
			return err
		}
		if err = c.sendReplies(request, stream.Send); err != nil {
			return err
		}
	}
}

func (s *server) Observe(_ context.Context, request *pb.ObserveRequest) (*pb.Observation, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if o := s.observed[request.CallId]; o != nil {
		return &pb.Observation{Started: o.Started, Ended: o.Ended, Cancelled: o.Cancelled,
			DeadlineMs: o.DeadlineMs}, nil
	}
	return &pb.Observation{}, nil
}

func main() {
	port := flag.Int("port", 0, "port on 127.0.0.1")
	portFile := flag.String("port-file", "", "where to write the port")
	cert := flag.String("tls-cert", "", "certificate (PEM)")
	key := flag.String("tls-key", "", "key (PEM)")
	flag.Parse()

	options := []grpc.ServerOption{grpc.StatsHandler(peers.StatsHandler{})}
	if *cert != "" {
		creds, err := credentials.NewServerTLSFromFile(*cert, *key)
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(creds))
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer(options...)
	pb.RegisterPeerTestServer(s, &server{observed: map[string]*pb.Observation{}})
	healthpb.RegisterHealthServer(s, health.NewServer())
	reflection.Register(s)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		s.Stop()
	}()
	actual := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	if err = os.WriteFile(*portFile+".new", []byte(actual), 0o644); err == nil {
		err = os.Rename(*portFile+".new", *portFile)
	}
	if err == nil {
		err = s.Serve(listener)
	}
	if err != nil {
		log.Fatal(err)
	}
}
