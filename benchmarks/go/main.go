// An admission webhook as one would write it in Go, to compare with: net/http, the typed pod, and a
// patch made by hand. No logs, no metrics, no policy: it looks at no more than whether the pod wants
// a daemon and has none.
//
//	go-handler FOLDER
//
// FOLDER has the certificate, and sidecar.json with what every pod gains. It serves on a port of the
// system's choice, which it prints as one line of JSON.
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
	runtime.GOMAXPROCS(1) // all that are compared run on one core
	if len(os.Args) != 2 {
		log.Fatal("usage: go-handler FOLDER")
	}
	if err := serve(os.Args[1]); err != nil {
		log.Fatal("go-handler: ", err)
	}
}

func serve(folder string) error {
	injection, err := read(filepath.Join(folder, "sidecar.json"))
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(
		filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key"))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("{\"webhook\":\"%s\"}\n", listener.Addr())
	// An API server speaks HTTP/1.1 to webhooks, and so does everybody in the comparison.
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
	if wantsDaemon(&pod) {
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
	_, _ = writer.Write(body) // whoever asked may be gone
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
