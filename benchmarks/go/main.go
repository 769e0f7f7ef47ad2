// An admission webhook as one would write it in Go: net/http, the typed pod, and a patch made by
// hand. It has no logs, metrics or policy, and looks only at the annotation dind.io/inject.
//
//	go-handler DIRECTORY
//
// DIRECTORY contains the certificate and injected.json, a pod that shows what is added. The handler
// serves on a free port, which it prints as one line of JSON.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	admission "k8s.io/api/admission/v1"
	core "k8s.io/api/core/v1"
)

func main() {
	log.SetFlags(0)
	runtime.GOMAXPROCS(1) // all servers share one core
	if len(os.Args) != 2 {
		log.Fatal("usage: go-handler DIRECTORY")
	}
	if err := serve(os.Args[1]); err != nil {
		log.Fatal("go-handler: ", err)
	}
}

func serve(directory string) error {
	injection, err := read(filepath.Join(directory, "injected.json"))
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(
		filepath.Join(directory, "tls.crt"), filepath.Join(directory, "tls.key"))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("{\"webhook\":\"%s\"}\n", listener.Addr())
	// API servers speak HTTP/1.1 to webhooks.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := http.Server{
		Handler:   http.HandlerFunc(injection.answer),
		Protocols: protocols,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{pair},
			MinVersion:   tls.VersionTLS13,
		},
	}
	return server.ServeTLS(listener, "", "")
}

func (injection *injection) answer(writer http.ResponseWriter, request *http.Request) {
	review, err := decoded(request)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	var pod core.Pod
	if err := json.Unmarshal(review.Request.Object.Raw, &pod); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	response := &admission.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if optedIn(&pod) {
		patch, err := json.Marshal(injection.patch(&pod))
		if err != nil {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		kind := admission.PatchTypeJSONPatch
		response.PatchType, response.Patch = &kind, patch
	}
	body, err := json.Marshal(&admission.AdmissionReview{TypeMeta: review.TypeMeta, Response: response})
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.Header().Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = writer.Write(body) // the client may have closed the connection
}

func decoded(request *http.Request) (*admission.AdmissionReview, error) {
	if request.ContentLength <= 0 || request.ContentLength > 7<<20 {
		return nil, fmt.Errorf("the body's length must be 1 to %d", 7<<20)
	}
	body := make([]byte, request.ContentLength)
	if _, err := io.ReadFull(request.Body, body); err != nil {
		return nil, err
	}
	var review admission.AdmissionReview
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, err
	}
	if review.Request == nil {
		return nil, fmt.Errorf("the review has no request")
	}
	return &review, nil
}
