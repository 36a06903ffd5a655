package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"picogrpc.test/interop/pb"
)

func check(status *pb.EchoStatus, kind pb.PayloadType) error {
	if status.GetCode() != 0 {
		return connect.NewError(connect.Code(status.Code), errors.New(status.Message))
	}
	if kind != pb.PayloadType_COMPRESSABLE {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("there is no payload of type %d", kind))
	}
	return nil
}

func echo(request, header, trailer http.Header) {
	if value := request.Get(initialKey); value != "" {
		header.Set(initialKey, value)
	}
	if value := request.Get(trailingKey); value != "" {
		trailer.Set(trailingKey, value)
	}
}

func empty(_ context.Context, request *connect.Request[pb.Empty]) (*connect.Response[pb.Empty], error) {
	reply := connect.NewResponse(&pb.Empty{})
	echo(request.Header(), reply.Header(), reply.Trailer())
	return reply, nil
}

func unary(_ context.Context, request *connect.Request[pb.SimpleRequest]) (*connect.Response[pb.SimpleResponse], error) {
	if err := check(request.Msg.ResponseStatus, request.Msg.ResponseType); err != nil {
		return nil, err
	}
	reply := connect.NewResponse(&pb.SimpleResponse{Payload: zeros(request.Msg.ResponseSize)})
	if request.Msg.FillServerId {
		reply.Msg.ServerId = fmt.Sprint("pid ", os.Getpid())
	}
	echo(request.Header(), reply.Header(), reply.Trailer())
	return reply, nil
}

func input(_ context.Context, stream *connect.ClientStream[pb.StreamingInputCallRequest]) (*connect.Response[pb.StreamingInputCallResponse], error) {
	size := 0
	for stream.Receive() {
		size += len(stream.Msg().GetPayload().GetBody())
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	reply := connect.NewResponse(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(size)})
	echo(stream.RequestHeader(), reply.Header(), reply.Trailer())
	return reply, nil
}

func sendAll(ctx context.Context, wanted []*pb.ResponseParameters, send func(*pb.StreamingOutputCallResponse) error) error {
	for _, parameters := range wanted {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(parameters.IntervalUs) * time.Microsecond):
		}
		if err := send(&pb.StreamingOutputCallResponse{Payload: zeros(parameters.Size)}); err != nil {
			return err
		}
	}
	return nil
}

func output(ctx context.Context, request *connect.Request[pb.StreamingOutputCallRequest], stream *connect.ServerStream[pb.StreamingOutputCallResponse]) error {
	echo(request.Header(), stream.ResponseHeader(), stream.ResponseTrailer())
	if err := check(request.Msg.ResponseStatus, request.Msg.ResponseType); err != nil {
		return err
	}
	return sendAll(ctx, request.Msg.ResponseParameters, stream.Send)
}

type duplex = connect.BidiStream[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]

// Hands every request over, until the client's end.
func eachRequest(stream *duplex, take func([]*pb.ResponseParameters) error) error {
	for {
		request, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := check(request.ResponseStatus, request.ResponseType); err != nil {
			return err
		}
		if err := take(request.ResponseParameters); err != nil {
			return err
		}
	}
}

func fullDuplex(ctx context.Context, stream *duplex) error {
	echo(stream.RequestHeader(), stream.ResponseHeader(), stream.ResponseTrailer())
	if stream.RequestHeader().Get(initialKey) != "" {
		stream.Send(nil) // the headers alone
	}
	return eachRequest(stream, func(wanted []*pb.ResponseParameters) error { return sendAll(ctx, wanted, stream.Send) })
}

func halfDuplex(ctx context.Context, stream *duplex) error {
	echo(stream.RequestHeader(), stream.ResponseHeader(), stream.ResponseTrailer())
	var all []*pb.ResponseParameters
	if err := eachRequest(stream, func(wanted []*pb.ResponseParameters) error { all = append(all, wanted...); return nil }); err != nil {
		return err
	}
	return sendAll(ctx, all, stream.Send)
}

func serve(port, transport string) error {
	mux := http.NewServeMux()
	mux.Handle(procedure("EmptyCall"), connect.NewUnaryHandler(procedure("EmptyCall"), empty))
	mux.Handle(procedure("UnaryCall"), connect.NewUnaryHandler(procedure("UnaryCall"), unary))
	mux.Handle(procedure("StreamingInputCall"), connect.NewClientStreamHandler(procedure("StreamingInputCall"), input))
	mux.Handle(procedure("StreamingOutputCall"), connect.NewServerStreamHandler(procedure("StreamingOutputCall"), output))
	mux.Handle(procedure("FullDuplexCall"), connect.NewBidiStreamHandler(procedure("FullDuplexCall"), fullDuplex))
	mux.Handle(procedure("HalfDuplexCall"), connect.NewBidiStreamHandler(procedure("HalfDuplexCall"), halfDuplex))
	// net/http resets a stream whose request comes after the answer, and nginx takes the reset for the answer.
	mux.HandleFunc("/", func(reply http.ResponseWriter, request *http.Request) {
		io.Copy(io.Discard, request.Body)
		http.NotFound(reply, request)
	})
	server := &http.Server{Addr: "127.0.0.1:" + port, Handler: mux, Protocols: protocols(transport)}
	if transport == "tls" {
		tls := os.Getenv("INTEROP_TLS")
		return server.ListenAndServeTLS(tls+"/server.pem", tls+"/server.key")
	}
	return server.ListenAndServe()
}
