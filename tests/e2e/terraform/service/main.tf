terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" {
  type = string
}
variable "desired" {
  type    = number
  default = 1
}
variable "color" {
  type    = string
  default = "blue"
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {
    ecs = var.endpoint
  }
}

resource "aws_ecs_cluster" "main" {
  name = "services"
}

resource "aws_ecs_task_definition" "app" {
  family                   = "app"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions = jsonencode([{
    name        = "app"
    image       = "busybox"
    command     = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]
    stopTimeout = 2
    environment = [{ name = "COLOR", value = var.color }]
  }])
}

resource "aws_ecs_service" "app" {
  name                               = "app"
  cluster                            = aws_ecs_cluster.main.arn
  task_definition                    = aws_ecs_task_definition.app.arn
  desired_count                      = var.desired
  launch_type                        = "FARGATE"
  deployment_minimum_healthy_percent = 50
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = true
  tags                               = { color = var.color }
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = ["subnet-1"]
    security_groups = ["sg-1"]
  }
}

data "aws_ecs_service" "app" {
  service_name = aws_ecs_service.app.name
  cluster_arn  = aws_ecs_cluster.main.arn
}

output "arn" {
  value = data.aws_ecs_service.app.arn
}
