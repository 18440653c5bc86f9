package main

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/scheme"
)

var (
	groupVersion  = schema.GroupVersion{Group: "wakala.com", Version: "v1alpha1"}
	schemeBuilder = (&scheme.Builder{GroupVersion: groupVersion}).
			Register(&WakalaService{}, &WakalaServiceList{})
)

// WakalaService is the part of the custom resource that this program acts on.
type WakalaService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   WakalaServiceSpec   `json:"spec"`
	Status WakalaServiceStatus `json:"status,omitempty"`
}

// WakalaServiceSpec is what a team wants; the fields that the measured services set.
type WakalaServiceSpec struct {
	Image    string          `json:"image"`
	Port     int32           `json:"port"`
	Replicas int32           `json:"replicas"`
	Env      []corev1.EnvVar `json:"env,omitempty"`
}

// WakalaServiceStatus is what is so.
type WakalaServiceStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	Replicas           int32              `json:"replicas"`
	ReadyReplicas      int32              `json:"readyReplicas"`
	Selector           string             `json:"selector,omitempty"`
	Inventory          []InventoryEntry   `json:"inventory,omitempty"`
	Decisions          []Decision         `json:"decisions,omitempty"`
}

// InventoryEntry is one object that belongs to a service.
type InventoryEntry struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Decision is one thing that was done, and when.
type Decision struct {
	Time    string `json:"time"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// WakalaServiceList is a list of services.
type WakalaServiceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []WakalaService `json:"items"`
}

// DeepCopy returns a service that shares nothing with this one.
func (in *WakalaService) DeepCopy() *WakalaService {
	out := &WakalaService{TypeMeta: in.TypeMeta, Spec: in.Spec, Status: in.Status}
	in.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Env = nil
	for i := range in.Spec.Env {
		out.Spec.Env = append(out.Spec.Env, *in.Spec.Env[i].DeepCopy())
	}
	out.Status.Conditions = nil
	for i := range in.Status.Conditions {
		out.Status.Conditions = append(out.Status.Conditions, *in.Status.Conditions[i].DeepCopy())
	}
	out.Status.Inventory = append([]InventoryEntry(nil), in.Status.Inventory...)
	out.Status.Decisions = append([]Decision(nil), in.Status.Decisions...)
	return out
}

// DeepCopyObject makes it a runtime.Object.
func (in *WakalaService) DeepCopyObject() runtime.Object { return in.DeepCopy() }

// DeepCopyObject makes it a runtime.Object.
func (in *WakalaServiceList) DeepCopyObject() runtime.Object {
	out := &WakalaServiceList{TypeMeta: in.TypeMeta}
	in.ListMeta.DeepCopyInto(&out.ListMeta)
	for i := range in.Items {
		out.Items = append(out.Items, *in.Items[i].DeepCopy())
	}
	return out
}
