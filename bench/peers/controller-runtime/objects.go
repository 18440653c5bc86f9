package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	managedBy         = "wakala-peer"
	labelManagedBy    = "app.kubernetes.io/managed-by"
	labelService      = "wakala.com/service"
	annotationApplied = "wakala.com/applied"
	annotationRuntime = "wakala.com/runtime-hash"
)

// objects are the children of a service in the order of writing.
func (r *reconciler) objects(ws *WakalaService) []client.Object {
	config := r.configMap(ws)
	return []client.Object{
		&corev1.ServiceAccount{ObjectMeta: meta(ws, ""), AutomountServiceAccountToken: ptr.To(false)},
		config,
		networkPolicy(ws),
		service(ws),
		deployment(ws, config),
		disruptionBudget(ws),
	}
}

func meta(ws *WakalaService, suffix string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: ws.Name + suffix, Namespace: ws.Namespace, Labels: labels(ws)}
}

func labels(ws *WakalaService) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":     ws.Name,
		"app.kubernetes.io/instance": ws.Name,
		labelManagedBy:               managedBy,
		labelService:                 ws.Name,
	}
}

func selector(ws *WakalaService) map[string]string { return map[string]string{labelService: ws.Name} }

type httpClient struct {
	PoolConnections       int `json:"poolConnections"`
	PoolMaxSize           int `json:"poolMaxSize"`
	MaxRetries            int `json:"maxRetries"`
	ConnectTimeoutSeconds int `json:"connectTimeoutSeconds"`
	ReadTimeoutSeconds    int `json:"readTimeoutSeconds"`
}

type runtimeSettings struct {
	Version               int        `json:"version"`
	Port                  int32      `json:"port"`
	Workers               int        `json:"workers"`
	FollowCPULimit        bool       `json:"followCpuLimit"`
	WorkerClass           string     `json:"workerClass"`
	WorkerConnections     int        `json:"workerConnections"`
	Loop                  string     `json:"loop"`
	Threads               int        `json:"threads"`
	Tasks                 int        `json:"tasks"`
	MaxRequests           int        `json:"maxRequests"`
	MaxRequestsJitter     int        `json:"maxRequestsJitter"`
	RequestTimeoutSeconds int        `json:"requestTimeoutSeconds"`
	KeepAliveSeconds      int        `json:"keepAliveSeconds"`
	PreloadApp            bool       `json:"preloadApp"`
	ReusePort             bool       `json:"reusePort"`
	AccessLog             bool       `json:"accessLog"`
	HTTPClient            httpClient `json:"httpClient"`
	Database              *struct{}  `json:"database"`
	Cache                 *struct{}  `json:"cache"`
}

func (r *reconciler) configMap(ws *WakalaService) *corev1.ConfigMap {
	settings, _ := json.MarshalIndent(runtimeSettings{
		Version: 1, Port: ws.Spec.Port, Workers: 4, WorkerClass: "uvicorn_worker.UvicornWorker",
		WorkerConnections: 1000, Loop: "uvloop", Threads: 50, Tasks: 1000, MaxRequests: 10000,
		MaxRequestsJitter: 1000, RequestTimeoutSeconds: 60, KeepAliveSeconds: 75, PreloadApp: true,
		ReusePort: true, AccessLog: true, HTTPClient: httpClient{100, 100, 3, 5, 30},
	}, "", "  ")
	return &corev1.ConfigMap{
		ObjectMeta: meta(ws, "-runtime"),
		Data:       map[string]string{"gunicorn.conf.py": r.program, "runtime.json": string(settings) + "\n"},
	}
}

func networkPolicy(ws *WakalaService) *networkingv1.NetworkPolicy {
	port := func(protocol corev1.Protocol, port intstr.IntOrString) networkingv1.NetworkPolicyPort {
		return networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &port}
	}
	dns := intstr.FromInt32(53)
	return &networkingv1.NetworkPolicy{ObjectMeta: meta(ws, ""), Spec: networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: selector(ws)},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, intstr.FromString("http"))},
		}},
		Egress: []networkingv1.NetworkPolicyEgressRule{{
			Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolUDP, dns), port(corev1.ProtocolTCP, dns)},
		}},
	}}
}

func service(ws *WakalaService) *corev1.Service {
	return &corev1.Service{ObjectMeta: meta(ws, ""), Spec: corev1.ServiceSpec{
		Selector: selector(ws),
		Ports: []corev1.ServicePort{{
			Name: "http", Port: ws.Spec.Port, TargetPort: intstr.FromString("http"),
			Protocol: corev1.ProtocolTCP, AppProtocol: ptr.To("http"),
		}},
	}}
}

func disruptionBudget(ws *WakalaService) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{ObjectMeta: meta(ws, ""), Spec: policyv1.PodDisruptionBudgetSpec{
		MaxUnavailable:             ptr.To(intstr.FromInt32(1)),
		UnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),
		Selector:                   &metav1.LabelSelector{MatchLabels: selector(ws)},
	}}
}

func deployment(ws *WakalaService, config *corev1.ConfigMap) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: meta(ws, ""), Spec: appsv1.DeploymentSpec{
		Replicas: ptr.To(ws.Spec.Replicas),
		Selector: &metav1.LabelSelector{MatchLabels: selector(ws)},
		Strategy: appsv1.DeploymentStrategy{
			Type: appsv1.RollingUpdateDeploymentStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDeployment{
				MaxSurge: ptr.To(intstr.FromString("25%")), MaxUnavailable: ptr.To(intstr.FromInt32(0)),
			},
		},
		ProgressDeadlineSeconds: ptr.To[int32](600),
		RevisionHistoryLimit:    ptr.To[int32](10),
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{
				Labels:      labels(ws),
				Annotations: map[string]string{annotationRuntime: digest(config.Data)},
			},
			Spec: podSpec(ws, config.Name),
		},
	}}
}

func podSpec(ws *WakalaService, config string) corev1.PodSpec {
	spread := func(key string) corev1.TopologySpreadConstraint {
		return corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:  &metav1.LabelSelector{MatchLabels: selector(ws)},
			MatchLabelKeys: []string{"pod-template-hash"},
		}
	}
	return corev1.PodSpec{
		ServiceAccountName:            ws.Name,
		AutomountServiceAccountToken:  ptr.To(false),
		EnableServiceLinks:            ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To[int64](75),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   ptr.To(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			Sysctls: []corev1.Sysctl{
				{Name: "net.ipv4.ip_local_port_range", Value: "1024 65535"},
				{Name: "net.ipv4.ip_local_reserved_ports", Value: strconv.Itoa(int(ws.Spec.Port))},
				{Name: "net.ipv4.tcp_fin_timeout", Value: "30"},
				{Name: "net.ipv4.tcp_keepalive_intvl", Value: "60"},
				{Name: "net.ipv4.tcp_keepalive_probes", Value: "10"},
				{Name: "net.ipv4.tcp_keepalive_time", Value: "600"},
				{Name: "net.ipv4.tcp_syncookies", Value: "1"},
			},
		},
		Containers: []corev1.Container{container(ws)},
		Volumes: []corev1.Volume{
			{Name: "tmp", VolumeSource: scratch(corev1.StorageMediumMemory, "100Mi")},
			{Name: "cache", VolumeSource: scratch(corev1.StorageMediumDefault, "500Mi")},
			{Name: "runtime", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{
					LocalObjectReference: corev1.LocalObjectReference{Name: config},
				}}},
			}}},
		},
		DNSPolicy:                 corev1.DNSClusterFirst,
		DNSConfig:                 &corev1.PodDNSConfig{Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: ptr.To("1")}}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{spread("topology.kubernetes.io/zone"), spread("kubernetes.io/hostname")},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
				Weight: 100,
				Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: "node.kubernetes.io/instance-type", Operator: corev1.NodeSelectorOpIn,
					Values: []string{"c5.xlarge", "c5.2xlarge"},
				}}},
			}},
		}},
	}
}

func container(ws *WakalaService) corev1.Container {
	port := strconv.Itoa(int(ws.Spec.Port))
	get := func(path string) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(ws.Spec.Port)}}
	}
	amounts := func(cpu, memory, storage string) corev1.ResourceList {
		return corev1.ResourceList{
			corev1.ResourceCPU:              resource.MustParse(cpu),
			corev1.ResourceMemory:           resource.MustParse(memory),
			corev1.ResourceEphemeralStorage: resource.MustParse(storage),
		}
	}
	return corev1.Container{
		Name:            "api",
		Image:           ws.Spec.Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Ports:           []corev1.ContainerPort{{Name: "http", ContainerPort: ws.Spec.Port, Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{
			Requests: amounts("500m", "512Mi", "1Gi"),
			Limits:   amounts("1000m", "1Gi", "2Gi"),
		},
		Env: append([]corev1.EnvVar{
			{Name: "PYTHONMALLOC", Value: "pymalloc"},
			{Name: "MALLOC_TRIM_THRESHOLD_", Value: "100000"},
			{Name: "GUNICORN_CMD_ARGS", Value: "--config /etc/wakala/gunicorn.conf.py"},
			{Name: "UVICORN_HOST", Value: "0.0.0.0"},
			{Name: "UVICORN_PORT", Value: port},
			{Name: "UVICORN_WORKERS", Value: "4"},
			{Name: "UVICORN_LOOP", Value: "uvloop"},
			{Name: "UVICORN_TIMEOUT_KEEP_ALIVE", Value: "75"},
			{Name: "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", Value: "60"},
		}, ws.Spec.Env...),
		StartupProbe: &corev1.Probe{
			ProbeHandler: get("/health"), InitialDelaySeconds: 10, PeriodSeconds: 5, TimeoutSeconds: 1,
			SuccessThreshold: 1, FailureThreshold: 30,
		},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler: get("/ready"), InitialDelaySeconds: 5, PeriodSeconds: 5, TimeoutSeconds: 1,
			SuccessThreshold: 1, FailureThreshold: 3,
		},
		SecurityContext: &corev1.SecurityContext{
			RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](1000), RunAsGroup: ptr.To[int64](1000),
			AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "tmp", MountPath: "/tmp"},
			{Name: "cache", MountPath: "/app/.cache"},
			{Name: "runtime", MountPath: "/etc/wakala", ReadOnly: true},
		},
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 10}}},
	}
}

func scratch(medium corev1.StorageMedium, limit string) corev1.VolumeSource {
	return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
		Medium: medium, SizeLimit: ptr.To(resource.MustParse(limit)),
	}}
}

// digest stands for a value: two that differ have different ones.
func digest(value any) string {
	encoded, _ := json.Marshal(value)
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:8])
}
